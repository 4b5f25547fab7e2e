//! The list of all cases, and how they become tests.

use std::fmt;
use std::pin::Pin;

use super::{
    Backend, adopting, cancelling, concurrency, fencing, hosts, input, journals, limits, listing, ordering,
    repeats, restart, retention, slots, torn, transitions,
};

type Check = for<'a> fn(&'a dyn Backend) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One thing that is demanded of a backend.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    check: Check,
}

impl Case {
    /// What is demanded, as `group::behaviour`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Checks it on a backend whose records are empty.
    ///
    /// # Panics
    ///
    /// If the backend does not behave so; the message says what was expected of it.
    pub async fn check(&self, backend: &dyn Backend) {
        (self.check)(backend).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// All cases, group by group.
#[must_use]
pub fn cases() -> &'static [Case] {
    CASES
}

/// Checks all cases, one after the other, each on a backend of its own.
///
/// # Panics
///
/// At the first that fails.
pub async fn run_all<B: Backend>(backend: impl Fn() -> B) {
    for case in cases() {
        case.check(&backend()).await;
    }
}

/// For [`conformance!`](crate::conformance!).
///
/// # Panics
///
/// If the case fails.
#[doc(hidden)]
pub async fn check(name: &str, backend: &dyn Backend) {
    let case = cases().iter().find(|case| case.name == name);
    case.unwrap_or_else(|| panic!("there is no case {name}")).check(backend).await;
}

/// Makes a module with one test of every case of [`conformance`](mod@crate::conformance): `conformance!(name, backend)`,
/// where `backend` is an expression that makes a new [`Backend`](crate::conformance::Backend) with empty records. It is
/// evaluated once in each test, in an `async` block of a tokio runtime with two threads.
///
/// The crate that uses it needs `tokio` with the features `macros` and `rt-multi-thread` among its dev-dependencies.
///
/// # Examples
///
/// See [`conformance`](mod@crate::conformance).
#[macro_export]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
macro_rules! conformance {
    ($module:ident, $backend:expr $(,)?) => {
        mod $module {
            #[allow(unused_imports, reason = "the expression may need what stands beside the module")]
            use super::*;
            $crate::__conformance_cases!(tests[$backend]);
        }
    };
}

/// The list of all cases, for the two who need it.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($then:ident [$($with:tt)*]) => {
        $crate::__conformance_cases! { @$then [$($with)*]
            transitions {
                every_finish_follows_the_table,
                every_requeue_follows_the_table,
                every_close_follows_the_table,
                a_request_to_cancel_follows_the_table,
                only_queued_runs_are_claimed_and_only_running_ones_adopted,
                a_known_id_is_left_as_it_is_wherever_it_stands,
                a_note_changes_nothing_else,
                a_life_with_every_step_has_a_history_without_a_gap,
            }
            fencing {
                a_late_write_is_refused_and_names_the_owner,
                a_late_result_is_a_note_in_the_history,
                an_adopted_run_goes_on_in_the_same_attempt,
                tokens_grow_across_runs_and_slots,
                a_beat_with_an_old_lease_is_told_so,
            }
            hosts {
                a_host_is_what_it_registered_as,
                an_expired_lease_alone_takes_nothing,
                a_lease_ends_with_its_time_and_a_heartbeat_prolongs_it,
                a_host_that_was_taken_over_is_told_so,
                a_set_wall_clock_ends_no_lease,
                a_reboot_ends_every_lease,
                what_a_retired_host_held_is_adopted_at_once,
                nobody_adopts_its_own_or_more_than_it_wants,
                progress_is_kept_and_nonsense_harms_nothing,
            }
            adopting {
                a_host_takes_over_only_what_it_asks_for,
                to_claim_something_counts_as_a_heartbeat,
                who_wakes_first_leaves_the_others_their_time,
                who_takes_over_a_slot_ends_its_host,
                a_claim_says_whether_more_is_due,
                a_beat_need_not_tell_of_progress,
                a_schedule_that_was_erased_begins_anew,
            }
            repeats {
                enqueueing_again_changes_nothing,
                a_unique_key_is_open_once,
                a_known_id_counts_before_a_unique_key,
                finishing_again_changes_nothing,
                requeueing_again_changes_nothing,
                closing_and_retiring_again_change_nothing,
                a_dropped_call_has_happened_as_a_whole_or_not_at_all,
            }
            concurrency {
                no_run_is_given_twice_and_none_is_left,
                no_more_run_than_may_run_at_once,
                one_id_and_one_unique_key_are_accepted_once,
                a_slot_is_won_once,
                an_orphan_is_adopted_once,
                a_run_ends_once,
            }
            ordering {
                the_highest_priority_first_then_the_order_of_acceptance,
                nothing_is_claimed_before_its_time,
                when_something_waits_is_told_without_taking_it,
                what_became_due_takes_its_place_in_the_order,
                a_requeued_run_keeps_its_place,
                a_requeued_run_waits_for_its_time,
                queues_are_apart,
                a_wall_clock_that_is_set_back_holds_up_nothing_that_was_due,
            }
            listing {
                every_filter_and_all_together,
                counts_are_those_of_the_list,
                pages_of_every_size_are_the_same_list,
                new_runs_do_not_move_the_next_page,
            }
            cancelling {
                what_is_queued_is_cancelled_at_once,
                the_owner_hears_of_it_and_how_often,
                who_adopts_hears_of_it_too,
                a_cancelled_run_is_not_started_again,
                a_result_in_spite_of_it_counts,
            }
            slots {
                a_slot_is_claimed_finished_and_remembered,
                an_abandoned_slot_is_adopted_and_its_owner_fenced,
                schedules_are_apart,
                forgotten_slots_count_as_fired,
                finishing_a_slot_again_changes_nothing,
            }
            journals {
                an_entry_is_kept_and_replaced,
                entries_are_in_the_order_of_their_bytes,
                pages_of_every_size_are_the_same_journal,
                journals_are_apart_and_erased_as_a_whole,
                one_bad_entry_and_none_is_written,
            }
            retention {
                only_what_is_over_goes_the_oldest_first,
                what_ended_before_a_time_goes,
                all_but_the_latest_go,
                nothing_of_a_forgotten_run_is_left,
                a_unique_key_is_free_after_the_end,
            }
            input {
                bad_runs_are_refused_and_nothing_is_written,
                bad_hosts_and_claims_are_refused,
                bad_outcomes_are_refused,
                bad_slots_and_journals_are_refused,
                unknown_runs_are_named,
                unknown_and_retired_hosts_are_named,
            }
            limits {
                the_largest_values_fit,
                long_texts_lose_their_middle,
                any_text_is_kept_as_it_is,
                times_are_kept_to_the_millisecond,
            }
            restart {
                everything_is_still_there,
                leases_are_still_valid_and_tokens_grow_on,
            }
            torn {
                what_is_lost_is_lost_from_the_end,
            }
        }
    };
    (@tests [$backend:expr] $($group:ident { $($case:ident,)* })*) => {
        $(mod $group {
            #[allow(unused_imports, reason = "the expression may need what stands beside the module")]
            use super::*;
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let backend = $backend;
                let name = concat!(stringify!($group), "::", stringify!($case));
                $crate::conformance::check(name, &backend).await;
            })*
        })*
    };
    (@list [] $($group:ident { $($case:ident,)* })*) => {
        &[$($(Case {
            name: concat!(stringify!($group), "::", stringify!($case)),
            check: |backend| Box::pin($group::$case(backend)),
        },)*)*]
    };
}

const CASES: &[Case] = crate::__conformance_cases!(list []);
