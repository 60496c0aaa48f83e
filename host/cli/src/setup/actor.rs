//! Who runs this process.

/// More of a name than this is cut.
const LONGEST: usize = 100;

/// The account of this process by the kernel's word, such as `alice (uid 1000)`; behind `sudo` the person who called it:
/// `alice (uid 0, by sudo as root)`. Variables such as `USER` can say anything, and cron sets none.
pub fn actor() -> String {
    let uid = uzers::get_current_uid();
    let account =
        uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned());
    let sudo = std::env::var("SUDO_USER").ok();
    named(uid, account, sudo)
}

fn named(uid: u32, account: Option<String>, sudo: Option<String>) -> String {
    let account = account.unwrap_or_else(|| "unknown".to_owned());
    let sudo: Option<String> = sudo.map(|name| name.chars().take(LONGEST).collect());
    match sudo.filter(|name| !name.is_empty() && *name != account) {
        Some(person) => format!("{person} (uid {uid}, by sudo as {account})"),
        None => format!("{account} (uid {uid})"),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn the_kernels_account_is_named_and_the_person_behind_sudo() {
        let of = |account: Option<&str>, sudo: Option<&str>| {
            named(0, account.map(str::to_owned), sudo.map(str::to_owned))
        };
        assert_eq!(of(Some("root"), None), "root (uid 0)");
        assert_eq!(of(Some("root"), Some("")), "root (uid 0)");
        assert_eq!(of(Some("root"), Some("root")), "root (uid 0)");
        assert_eq!(
            of(Some("root"), Some("alice")),
            "alice (uid 0, by sudo as root)"
        );
        assert_eq!(of(None, None), "unknown (uid 0)");
    }
}
