//! What a task is, where a door takes all of them and does more for one kind.

/// This value, if it is of that type.
#[cfg(all(feature = "process", any(feature = "pooled", feature = "detached")))]
pub(crate) fn same<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut value = Some(value);
    match (&mut value as &mut dyn std::any::Any).downcast_mut::<Option<B>>().and_then(Option::take) {
        Some(value) => Ok(value),
        None => Err(value.expect("what was not taken is there")),
    }
}

/// Whether tasks of this type are programs, which can be written down.
#[cfg(feature = "process")]
pub(crate) fn is_command<T: 'static>() -> bool {
    std::any::TypeId::of::<T>() == std::any::TypeId::of::<bgt_simple::Command>()
}
