//! A host that serves again is not wiped.

use super::*;
use wreimage_capability::conftool;

const SET_POOLED: &Function = &conftool::functions::set_pooled;

fn objects(pooled: &str) -> Value {
    json!([{ "dc": "eqiad", "cluster": "appserver", "service": "nginx", "pooled": pooled, "weight": 1, "extra": [] }])
}

/// A run that has set its services to this value, and published an entry.
async fn after_setting(value: &str) -> (Setup, Arc<Script>) {
    let services = Arc::new(Script::default());
    let setup = Setup::with(|course| {
        let state = course.state.get_mut().unwrap();
        state.providers.add(("conftool", services.clone()));
    });
    services.answer(Ok(json!([])));
    setup
        .call(SET_POOLED, json!({ "value": value }))
        .await
        .unwrap();
    setup.call(PUBLISH, json!({})).await.unwrap();
    (setup, services)
}

async fn restart(setup: &Setup) -> Result<Result<Value, Fault>, Stop> {
    let cycle = json!({ "action": "Cycle" });
    setup.course.call(SET_POWER, cycle, Origin::Guest).await
}

#[tokio::test]
async fn a_host_that_was_pooled_again_is_not_restarted() {
    let (setup, services) = after_setting("inactive").await;
    services.answer(Ok(objects("yes")));
    let stop = restart(&setup).await.unwrap_err();
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("host1001 was pooled again in nginx of appserver")),
        "{stop}"
    );
    assert_eq!(setup.ipmi.called(), Vec::<String>::new());
}

#[tokio::test]
async fn a_host_that_is_still_depooled_or_cannot_be_asked_is_restarted() {
    for answer in [
        Ok(objects("inactive")),
        Err(Fault::unreachable("conftool.down", "conftool", "down")),
    ] {
        let (setup, services) = after_setting("inactive").await;
        services.answer(answer);
        restart(&setup).await.unwrap().unwrap();
        assert_eq!(setup.ipmi.called(), ["ipmi.set-power"]);
        // Once it is being wiped, nothing is lost any more.
        services.answer(Ok(objects("yes")));
        restart(&setup).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_host_that_the_run_has_pooled_itself_is_no_surprise() {
    let (setup, services) = after_setting("yes").await;
    services.answer(Ok(objects("yes")));
    restart(&setup).await.unwrap().unwrap();
    assert_eq!(services.called(), ["conftool.set-pooled"]);
}
