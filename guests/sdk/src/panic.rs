//! A guest has no standard error: without help a panic is a trap that says `unreachable`.

use crate::bindings::wreimage::run::run;
use std::panic::{PanicHookInfo, set_hook};

/// Makes a panic tell the host its message and place before it becomes a trap.
pub(crate) fn tell_the_host() {
    set_hook(Box::new(|info| {
        // The trap follows in any case; a host that takes no log line cannot be informed.
        let _ = run::log(run::Severity::Error, &message(info));
    }));
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let text = info
        .payload()
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| info.payload().downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    match info.location() {
        Some(place) => format!(
            "guest panicked at {}:{}: {text}",
            place.file(),
            place.line()
        ),
        None => format!("guest panicked: {text}"),
    }
}
