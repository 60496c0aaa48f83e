//! Names of interfaces.

/// The interface in which a plugged component says what it is.
pub const DESCRIBE: &str = "wreimage:hooks/plug@0.1.0";

/// Types without functions: they are the same for everybody.
const SHARED: [&str; 2] = ["wreimage:types/", "wreimage:hooks/"];

/// The namespace of the imports of the plug of this number, counted from 1.
fn namespace(plug: usize) -> String {
    format!("plug{plug}")
}

/// What the import of a plug is called in the whole: `plug1:ipmi/ipmi@0.1.0` for `wreimage:ipmi/ipmi@0.1.0`. `None` for an
/// import that keeps its name.
pub(crate) fn own_name(plug: usize, import: &str) -> Option<String> {
    if SHARED.iter().any(|shared| import.starts_with(shared)) {
        return None;
    }
    let rest = import.strip_prefix("wreimage:")?;
    Some(format!("{}:{rest}", namespace(plug)))
}

/// Under which name the whole exports what a plug says of itself.
pub fn described(plug: usize) -> String {
    format!("{}:hooks/plug@0.1.0", namespace(plug))
}

/// Whose import this is, counted from 1, and what it is called in that plug. `None` for an import of the guest.
pub fn plugged(import: &str) -> Option<(usize, String)> {
    let (namespace, rest) = import.strip_prefix("plug")?.split_once(':')?;
    let number = namespace.parse().ok().filter(|number| *number > 0)?;
    // Written as this crate writes it, so that no number has two names.
    (self::namespace(number).strip_prefix("plug") == Some(namespace))
        .then(|| (number, format!("wreimage:{rest}")))
}

/// Whether an interface is a hook: its package is called so.
pub(crate) fn is_hook(name: &str) -> bool {
    package(name).is_some_and(|package| package == "hooks")
}

/// Whether an interface is one of the standard runtime of a language.
pub(crate) fn is_wasi(name: &str) -> bool {
    name.starts_with("wasi:")
}

/// `hooks` of `wreimage:hooks/plug@0.1.0`.
fn package(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once(':')?;
    Some(rest.split_once('/')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plug_has_names_of_its_own_and_they_lead_back() {
        let name = own_name(2, "wreimage:puppet-ca/puppet-ca@0.1.0");
        assert_eq!(name.as_deref(), Some("plug2:puppet-ca/puppet-ca@0.1.0"));
        assert_eq!(
            plugged("plug2:puppet-ca/puppet-ca@0.1.0"),
            Some((2, "wreimage:puppet-ca/puppet-ca@0.1.0".to_owned()))
        );
        for shared in [
            "wreimage:types/types@0.1.0",
            "wreimage:hooks/hook-types@0.1.0",
            "wasi:io/poll@0.2.0",
        ] {
            assert_eq!(own_name(1, shared), None);
        }
        for other in [
            "wreimage:ipmi/ipmi@0.1.0",
            "plug:a/b@0.1.0",
            "plug0:a/b@0.1.0",
            "plug01:a/b@0.1.0",
            "plug+1:a/b@0.1.0",
            "plugged:a/b@0.1.0",
        ] {
            assert_eq!(plugged(other), None, "{other}");
        }
    }

    #[test]
    fn a_hook_is_of_a_package_of_hooks() {
        assert!(is_hook("wreimage:hooks/before-phase@0.1.0"));
        assert!(is_hook("acme:hooks/other@1.0.0"));
        assert!(!is_hook("wreimage:ipmi/hooks@0.1.0"));
        assert!(!is_hook("hooks"));
    }
}
