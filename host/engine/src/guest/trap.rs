//! A trap of a guest in words.

use crate::guest::limits::{Exceeded, Limits, TooMuchMemory};
use wasmtime::Trap;

/// A trap in words, with the component's own frames, and advice for a guest that used up its fuel, and for one that used up its memory.
pub(crate) fn describe(
    error: &wasmtime::Error,
    limits: Limits,
    for_fuel: &str,
    for_memory: &str,
) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => format!(
            "it computed for {} units of fuel without calling the host: it loops{}{for_fuel}",
            limits.fuel,
            frames(error)
        ),
        Some(trap) => format!("it trapped: {trap}{}", frames(error)),
        None => {
            if let Some(much) = error.downcast_ref::<TooMuchMemory>() {
                return format!("{much}{}{for_memory}", frames(error));
            }
            if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
                let key = exceeded.key();
                return format!("{exceeded}{}{}", frames(error), advice(key));
            }
            let cause = error.root_cause().to_string();
            if cause.contains(TOO_MUCH_DATA) {
                return format!(
                    "it passed more than {} bytes to the host in one call, and `limits.call` allows no more{}{}",
                    limits.call,
                    frames(error),
                    advice("limits.call")
                );
            }
            cause
        }
    }
}

/// What wasmtime says of a call with more data than the store allows; its type is not public. A fixture shows that it still
/// says so.
const TOO_MUCH_DATA: &str = "fuel allocated for hostcalls has been exhausted";

fn advice(key: &str) -> String {
    format!("; raise `{key}` in the site file, or ask its author why it needs so much")
}

fn frames(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else {
        return String::new();
    };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .map(demangle)
        .filter(|name| !name.contains("panic") && !name.starts_with("cabi_"))
        .take(3)
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" (in {})", names.join(" < "))
    }
}

/// A name as the guest's author wrote it: demangled, without the compiler's hash.
fn demangle(name: &str) -> String {
    rustc_demangle::try_demangle(name)
        .map_or_else(|_| name.to_owned(), |demangled| format!("{demangled:#}"))
}
