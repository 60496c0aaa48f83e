//! The lease of a site with an install server.

use super::claim::{self, DAMAGED, file_name, identities, set_claim, shown_in};
use super::folder::{LeaseFolder, UNWRITABLE};
use super::why;
use crate::install_server::{Answer, Script, encode};
use crate::ssh::quote;
use crate::target::is_name;
use futures::FutureExt;
use std::sync::Arc;
use wreimage_capability::BoxFuture;
use wreimage_capability::lease::{
    Acquire, ClaimedHost, Confirmed, FORMAT, HeldClaim, Lease, LeaseError, LeaseResult,
    Observation, ObservedClaim, Right, Token,
};

/// The lease in the folder of an install server.
pub(crate) struct InstallServerLease(pub(crate) Arc<LeaseFolder>);

impl InstallServerLease {
    /// The name of a host as it stands in the lease folder.
    fn name(fqdn: &str) -> LeaseResult<String> {
        if is_name(&fqdn.to_ascii_lowercase()) {
            return Ok(file_name(fqdn));
        }
        Err(LeaseError::Folder(format!(
            "`{}` is not the name of a host",
            fqdn.escape_debug()
        )))
    }

    async fn ask(&self, script: Script) -> LeaseResult<Answer> {
        self.0.run(&script).await
    }

    fn observation(&self, answer: &Answer) -> LeaseResult<Observation> {
        if answer.status != "ok" {
            return Err(self.0.unusable(answer));
        }
        Ok(Observation {
            claims: shown_in(answer),
            ttl_ms: answer.number("ttl-ms").unwrap_or_default(),
            settling_ms: answer.number("settling-ms").unwrap_or_default(),
        })
    }

    /// What an answer means to the request about this host.
    fn confirmed(&self, fqdn: &str, answer: &Answer) -> LeaseResult<Confirmed> {
        let shown = shown_in(answer);
        let by = shown.last();
        match answer.status.as_str() {
            "confirmed" => match (answer.number("ttl-ms"), answer.number("acquisition")) {
                (Some(ttl_ms), Some(acquisition)) => Ok(Confirmed {
                    ttl_ms,
                    acquisition,
                }),
                _ => Err(self.0.unusable(answer)),
            },
            "refused" => Err(refused(fqdn, answer, by)),
            "lost" if answer.word("code") == UNWRITABLE => {
                let fields = [("code", UNWRITABLE), ("why", answer.word("why"))];
                Err(self.0.unusable(&Answer {
                    status: "folder".to_owned(),
                    fields: fields
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .into(),
                }))
            }
            "lost" => Err(LeaseError::Lost(why::lost(fqdn, answer.word("code"), by))),
            _ => Err(self.0.unusable(answer)),
        }
    }
}

fn refused(fqdn: &str, answer: &Answer, by: Option<&ObservedClaim>) -> LeaseError {
    LeaseError::Refused {
        why: why::refused(fqdn, answer, by),
        by: by
            .filter(|by| by.claim.format == FORMAT && by.claim.token.0 != DAMAGED)
            .cloned()
            .map(Box::new),
    }
}

/// The rights of a request as variables.
fn set_right(script: Script, right: &Right) -> Script {
    let (word, run, tokens) = match right {
        Right::Begin => ("begin", String::new(), String::new()),
        Right::TakeOver { run } => ("take-over", encode(run), String::new()),
        Right::Resume { tokens } => {
            let tokens: Vec<String> = tokens.iter().map(|token| encode(&token.0)).collect();
            ("resume", String::new(), tokens.join(" "))
        }
    };
    script
        .set("right", word)
        .set("over_run", &run)
        .set("tokens", &tokens)
}

/// A result for each claim of a renewal, in their order.
fn results(
    lease: &InstallServerLease,
    claims: &[HeldClaim],
    answer: &Answer,
) -> LeaseResult<Vec<LeaseResult<Confirmed>>> {
    if answer.status != "ok" {
        return Err(lease.0.unusable(answer));
    }
    let mut groups: Vec<(&str, Answer)> = Vec::new();
    for (key, value) in &answer.fields {
        if key == "renewed" || key == "lost" {
            let status = if key == "renewed" {
                "confirmed"
            } else {
                "lost"
            };
            let fields = vec![("ttl-ms".to_owned(), answer.word("ttl-ms").to_owned())];
            let status = status.to_owned();
            groups.push((value, Answer { status, fields }));
        } else if let Some((_, group)) = groups.last_mut() {
            group.fields.push((key.clone(), value.clone()));
        }
    }
    let expected = claims.iter().map(|claim| file_name(&claim.host.fqdn));
    if !expected.eq(groups.iter().map(|group| group.0.to_owned())) {
        return Err(lease.0.unusable(answer));
    }
    let each = claims.iter().zip(&groups);
    Ok(each
        .map(|(claim, (_, group))| lease.confirmed(&claim.host.fqdn, group))
        .collect())
}

impl Lease for InstallServerLease {
    fn system(&self) -> String {
        self.0.server.system()
    }

    fn observe<'a>(&'a self, host: &'a ClaimedHost) -> BoxFuture<'a, LeaseResult<Observation>> {
        async move {
            Self::name(&host.fqdn)?;
            let script = self
                .0
                .script("observe")
                .set("identities", &identities(host));
            let answer = self.ask(script).await?;
            let observation = self.observation(&answer)?;
            // A file that cannot be read may be about this machine.
            match answer.get(DAMAGED) {
                Some(_) => Err(LeaseError::Folder(why::refused(
                    &host.fqdn,
                    &Answer {
                        status: "refused".to_owned(),
                        fields: [answer.fields, vec![("code".to_owned(), DAMAGED.to_owned())]]
                            .concat(),
                    },
                    None,
                ))),
                None => Ok(observation),
            }
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, LeaseResult<Observation>> {
        async move {
            let answer = self.ask(self.0.script("list")).await?;
            self.observation(&answer)
        }
        .boxed()
    }

    fn acquire<'a>(&'a self, request: &'a Acquire) -> BoxFuture<'a, LeaseResult<Confirmed>> {
        async move {
            let fqdn = &request.claim.host.fqdn;
            Self::name(fqdn)?;
            if request.claim.token.0.is_empty() {
                return Err(LeaseError::Folder(
                    "this machine gives no random numbers (/dev/urandom), so no claim can be named"
                        .to_owned(),
                ));
            }
            let over = request.over.as_ref().map(|token| encode(&token.0));
            let script = claim::set(self.0.script("acquire"), &request.claim)
                .set("identities", &identities(&request.claim.host))
                .set("over", &over.unwrap_or_default());
            let answer = self.ask(set_right(script, &request.right)).await?;
            self.confirmed(fqdn, &answer)
        }
        .boxed()
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [HeldClaim],
    ) -> BoxFuture<'a, LeaseResult<Vec<LeaseResult<Confirmed>>>> {
        async move {
            if claims.is_empty() {
                return Ok(Vec::new());
            }
            let mut calls = Vec::new();
            for claim in claims {
                let length = claim.journal.length.to_string();
                calls.push(quote(&[
                    "renew_claim",
                    &Self::name(&claim.host.fqdn)?,
                    &encode(&claim.run),
                    &encode(&claim.token.0),
                    &encode(&claim.phase),
                    &length,
                    &encode(&claim.journal.sum),
                ]));
            }
            let script = self
                .0
                .script("renew")
                .function("each_claim", &calls.join("\n"));
            let answer = self.ask(script).await?;
            results(self, claims, &answer)
        }
        .boxed()
    }

    fn verify<'a>(&'a self, claim: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<Confirmed>> {
        async move {
            Self::name(&claim.host.fqdn)?;
            let script = set_claim(self.0.script("verify"), Some(claim));
            let answer = self.ask(script).await?;
            self.confirmed(&claim.host.fqdn, &answer)
        }
        .boxed()
    }

    fn break_claim<'a>(
        &'a self,
        fqdn: &'a str,
        token: &'a Token,
    ) -> BoxFuture<'a, LeaseResult<()>> {
        async move {
            let script = self
                .0
                .script("break")
                .set("claim_fqdn", &Self::name(fqdn)?)
                .set("claim_token", &encode(&token.0));
            let answer = self.ask(script).await?;
            match answer.status.as_str() {
                "ok" => Ok(()),
                "refused" => Err(refused(fqdn, &answer, shown_in(&answer).last())),
                _ => Err(self.0.unusable(&answer)),
            }
        }
        .boxed()
    }

    fn release<'a>(&'a self, claim: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<()>> {
        async move {
            Self::name(&claim.host.fqdn)?;
            let script = set_claim(self.0.script("release"), Some(claim));
            let answer = self.ask(script).await?;
            match answer.status.as_str() {
                "ok" => Ok(()),
                _ => self.confirmed(&claim.host.fqdn, &answer).map(|_| ()),
            }
        }
        .boxed()
    }
}
