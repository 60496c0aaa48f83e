//! The marks by which a guest says what its options mean to the host, in the SDKs for Python and JavaScript.
#![allow(clippy::unwrap_used)]

use wreimage_engine::{Engine, Guest};
use wreimage_language_tests::guest;

#[tokio::test(flavor = "multi_thread")]
async fn each_language_has_every_mark() {
    let engine = Engine::new(None).unwrap();
    for language in ["python", "js"] {
        let bytes = std::fs::read(guest(&format!("fixtures/odd-{language}"))).unwrap();
        let guest = Guest::load(&engine, &bytes).await.unwrap();
        let options = &guest.description().options;
        let marks: Vec<String> = options
            .iter()
            .flat_map(|spec| {
                let mark =
                    |(key, value): &(String, String)| format!("{}: {key}={value}", spec.name);
                spec.extra.iter().map(mark)
            })
            .collect();
        assert_eq!(
            marks,
            [
                "release: role=target-release",
                "release: choices-from=dhcp.releases",
                "keeps-system: role=keeps-system",
                "depools: role=depools",
                "new-host: role=new-host",
            ],
            "{language}"
        );
    }
}
