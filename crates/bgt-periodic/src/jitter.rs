//! A delay that is a schedule's own: spread over many, the same every time. Pure.

/// A part of `most`, by the name: FNV-1a of its bytes in 64 bits, times `most`, shifted down. The same on every host, in every version,
/// and never `most` itself.
pub(crate) fn of(name: &str, most: i64) -> i64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of FNV-1a are the better ones, and a product takes the high ones.
    let hash = hash.swap_bytes();
    let most = u64::try_from(most).unwrap_or(0);
    ((u128::from(hash) * u128::from(most)) >> 64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_what_it_is() {
        // Written down once: another number here moves everybody's schedules.
        let minute = 60_000_000_000;
        assert_eq!(of("backup", minute), of("backup", minute));
        assert_eq!(of("backup", 0), 0);
        assert_eq!([of("a", 1 << 40), of("backup", minute)], EXPECTED);
    }

    const EXPECTED: [i64; 2] = [605254944332, 14773957689];

    #[test]
    fn names_that_are_alike_are_spread_evenly() {
        let mut parts = [0_u32; 10];
        for n in 0..10_000 {
            parts[usize::try_from(of(&format!("customer-{n}"), 10)).unwrap()] += 1;
        }
        assert!(parts.iter().all(|part| (800..1200).contains(part)), "{parts:?}");
    }
}
