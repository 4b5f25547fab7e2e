//! Measures the machine, once for all batches of this process and only while one looks.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, System};
use tokio::sync::watch;

use crate::gate::{Reading, Readings};

/// How often. Nobody announces that a machine is busy; it has to be asked.
const EVERY: Duration = Duration::from_millis(500);

/// Filled while the thread runs.
static SHARED: Mutex<Option<watch::Sender<Option<Reading>>>> = Mutex::new(None);

/// Readings as they come, the first after about a quarter of a second. The thread behind them ends when nobody has any
/// more.
pub(crate) fn readings() -> io::Result<Readings> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*shared {
        return Ok(sender.subscribe());
    }
    let (sender, readings) = watch::channel(None);
    thread::Builder::new().name("bgt-machine".to_owned()).spawn(sample)?;
    *shared = Some(sender);
    Ok(readings)
}

/// Whatever ends the thread, the next batch starts another.
struct Gone;

impl Drop for Gone {
    fn drop(&mut self) {
        *SHARED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn sample() {
    let gone = Gone;
    let mut system = System::new();
    system.refresh_cpu_usage();
    // What is between two looks is the load.
    thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
    loop {
        system.refresh_cpu_usage();
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let cpu = f64::from(system.global_cpu_usage()) / 100.0;
        let available = system.available_memory();
        let free_memory =
            system.cgroup_limits().map_or(available, |limits| available.min(limits.free_memory));
        {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            let looked_at = shared.as_ref().is_some_and(|sender| sender.receiver_count() > 0);
            if !looked_at {
                // Under the lock, so that nobody takes readings that will not come.
                *shared = None;
                std::mem::forget(gone);
                return;
            }
            if let Some(sender) = &*shared {
                sender.send_replace(Some(Reading::new(cpu.clamp(0.0, 1.0), free_memory)));
            }
        }
        thread::sleep(EVERY);
    }
}
