//! Which unknown host key is accepted at the production identity.

use super::*;

const UPTIME: &Function = &inside::functions::get_uptime;
const SIGNED: u64 = 1_000_000;

fn refused(key: &str) -> Fault {
    Fault::denied(HOST_KEY_REFUSED, "host1001", "another key").with("offered", key)
}

/// A run whose host shows a key that is not known, and what the authority and the collected reports answer.
fn showing(key: &str, signed: Value, keys: Value) -> Setup {
    let (authority, database) = (Arc::new(Script::default()), Arc::new(Script::default()));
    authority.answer(Ok(signed));
    database.answer(Ok(keys));
    let setup = Setup::with(|gate| {
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("authority", authority));
        state.providers.add(("reports", database));
    });
    setup.inside.answer(Err(refused(key)));
    setup.inside.answer(Ok(json!(77)));
    setup
}

fn reported(key: &str, at: u64) -> Value {
    json!([{ "fingerprint": key, "reported_ms": at }])
}

async fn uptime(setup: &Setup) -> Result<Value, Fault> {
    setup.call(UPTIME, json!({ "at": "Production" })).await
}

#[tokio::test]
async fn a_key_that_the_certificate_has_reported_is_accepted_and_recorded() {
    let setup = showing(
        "SHA256:new",
        json!(SIGNED),
        reported("SHA256:new", SIGNED + 1),
    );
    assert_eq!(uptime(&setup).await.unwrap(), json!(77));
    let seen = setup.inside.seen.lock().unwrap().clone().unwrap();
    assert_eq!(seen.host_key.as_deref(), Some("SHA256:new"));
    let accepted = setup.log.entries().into_iter().any(|entry| {
        matches!(entry.record, Record::HostKeyAccepted { fingerprint, .. } if fingerprint == "SHA256:new")
    });
    assert!(accepted, "what a later process may believe is recorded");
}

#[tokio::test]
async fn no_other_key_is_accepted() {
    let late = SIGNED + 1;
    for (signed, keys, why) in [
        (
            json!(SIGNED),
            reported("SHA256:old", late),
            "another key was reported",
        ),
        (
            json!(SIGNED),
            reported("SHA256:new", SIGNED),
            "it was reported before the signature",
        ),
        (
            Value::Null,
            reported("SHA256:new", late),
            "no certificate is valid",
        ),
        (json!(SIGNED), json!([]), "nothing was reported"),
        (
            json!("?"),
            reported("SHA256:new", late),
            "the authority's answer is none",
        ),
    ] {
        let setup = showing("SHA256:new", signed, keys);
        let fault = uptime(&setup).await.unwrap_err();
        assert_eq!(fault.code, HOST_KEY_REFUSED, "{why}");
        assert!(setup.gate.state().host_key.is_none(), "{why}");
    }
}

/// The installer's key is judged by the boot that the run has waited for.
#[tokio::test]
async fn at_the_installer_identity_no_certificate_vouches() {
    let setup = showing(
        "SHA256:new",
        json!(SIGNED),
        reported("SHA256:new", SIGNED + 1),
    );
    let read = setup.call(UPTIME, json!({ "at": "Installer" })).await;
    assert_eq!(read.unwrap_err().code, HOST_KEY_REFUSED);
    assert!(setup.gate.state().host_key.is_none());
}

/// One is accepted in a run: a second one is that of another machine, or of a system between the controller and the host.
#[tokio::test]
async fn a_second_key_is_not_accepted() {
    let setup = showing(
        "SHA256:new",
        json!(SIGNED),
        reported("SHA256:new", SIGNED + 1),
    );
    uptime(&setup).await.unwrap();
    setup.inside.answer(Err(refused("SHA256:newer")));
    assert!(uptime(&setup).await.is_err());
    let accepted = setup.gate.state().host_key.clone();
    assert_eq!(accepted.as_deref(), Some("SHA256:new"));
}

#[tokio::test]
async fn the_key_that_the_operator_has_given_is_accepted_and_no_other() {
    for (given, accepted) in [("SHA256:new", true), ("SHA256:old", false)] {
        let setup = Setup::with(|gate| gate.context.given_host_key = Some(given.to_owned()));
        setup.inside.answer(Err(refused("SHA256:new")));
        setup.inside.answer(Ok(json!(77)));
        assert_eq!(uptime(&setup).await.is_ok(), accepted, "{given}");
    }
}
