//! Consent that is asked for in one process and given in another.

use super::*;
use crate::run::consent::{Consent, ConsentRequest};
use crate::run::operator::LATER;
use wreimage_capability::BoxFuture;
use wreimage_journal::{Answered, Entry};

/// Nothing was agreed on in advance; whoever is asked answers this, or nobody does.
struct Person(Option<&'static str>);

impl Consent for Person {
    fn in_advance(&self, _request: &ConsentRequest, _stands: bool) -> Option<Result<(), String>> {
        None
    }

    fn ask<'a>(
        &'a self,
        _request: &'a ConsentRequest,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Given, Fault>> {
        assert_eq!(question.choices[0].0, "host1001");
        let given = self.0.map(|choice| Given {
            choice: choice.to_owned(),
            by: "tester".to_owned(),
        });
        Box::pin(async { given.ok_or_else(|| Fault::denied(LATER, "wreimage", "nobody is there")) })
    }
}

fn waiting(consent: impl Consent + 'static, past: Vec<Entry>) -> Setup {
    let setup = Setup::with(|gate| {
        gate.consent = Arc::new(consent);
        gate.state.get_mut().unwrap().ledger_mut().consented = false;
        gate.state.get_mut().unwrap().is_fresh = false;
        gate.context.absent = ["board".to_owned(), "register".to_owned()].into();
    });
    if !past.is_empty() {
        let calls = past.iter().filter_map(|entry| match &entry.record {
            Record::Question(question) => Some(question.call),
            _ => None,
        });
        let recorder = &setup.gate.recorder;
        recorder.continue_after(past.len() as u64, calls.max());
        setup.gate.has_past(past);
    }
    setup
}

async fn publish(setup: &Setup) -> Result<Result<Value, Fault>, Stop> {
    let call = setup.gate.call_by_guest(PUBLISH, json!({}));
    call.await
}

/// The records of a run that waits for consent.
async fn asked() -> Vec<Entry> {
    let setup = waiting(Person(None), Vec::new());
    let stop = publish(&setup).await.unwrap_err();
    assert!(stop.is_pause(), "{stop}");
    assert!(setup.netboot.called().is_empty());
    setup.log.entries()
}

fn questions(setup: &Setup) -> usize {
    let entries = setup.log.entries();
    let asked = |entry: &&Entry| matches!(entry.record, Record::Question(_));
    entries.iter().filter(asked).count()
}

fn answer_of(setup: &Setup) -> Option<Answered> {
    setup.log.entries().into_iter().find_map(|entry| {
        let Record::Answer(answer) = entry.record else {
            return None;
        };
        Some(answer)
    })
}

#[tokio::test]
async fn a_question_for_consent_waits_for_the_process_in_which_it_is_answered() {
    let past = asked().await;
    let Some(Record::Question(question)) = past.last().map(|entry| entry.record.clone()) else {
        panic!("{past:?}");
    };
    assert!(question.consent);
    let setup = waiting(Person(Some("host1001")), past);
    publish(&setup).await.unwrap().unwrap();
    assert_eq!(setup.netboot.called(), ["netboot.offer"]);
    // It was not asked anew, so that an answer finds it.
    assert_eq!(questions(&setup), 0);
    assert_eq!(answer_of(&setup).unwrap().call, question.call);
}

#[tokio::test]
async fn consent_that_is_given_in_advance_answers_the_question_that_stands() {
    let setup = waiting(GivenConsent("host1001".to_owned()), asked().await);
    publish(&setup).await.unwrap().unwrap();
    assert_eq!(answer_of(&setup).unwrap().answer, "host1001");
}

#[tokio::test]
async fn whoever_answers_no_refuses() {
    let setup = waiting(Person(Some("no")), asked().await);
    let stop = publish(&setup).await.unwrap_err();
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("Nothing was touched")),
        "{stop}"
    );
    assert!(setup.netboot.called().is_empty());
}

#[tokio::test]
async fn a_recorded_answer_is_not_asked_for_again() {
    for (answer, consents) in [("host1001", true), ("no", false)] {
        let mut past = asked().await;
        let number = past.len() as u64;
        let Some(Record::Question(question)) = past.last().map(|entry| &entry.record) else {
            panic!("{past:?}");
        };
        let call = question.call;
        past.push(Entry {
            number: number + 1,
            time: Timestamp::UNIX_EPOCH,
            record: Record::Answer(Answered {
                call,
                answer: answer.to_owned(),
                by: "tester".to_owned(),
            }),
        });
        let setup = waiting(Person(None), past);
        let ended = publish(&setup).await;
        assert_eq!(ended.is_ok(), consents, "{answer}");
        assert_eq!(setup.netboot.called().is_empty(), !consents, "{answer}");
    }
}
