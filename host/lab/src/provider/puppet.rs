//! Puppet's agents.

use super::session::{Session, enter, enter_accepted};
use crate::machine::{Accepts, Machine};
use crate::seat::Seat;
use crate::service::agent::{Agent, Disabled};
use crate::service::job::Kind;
use crate::service::puppet::Agents;
use crate::time::Millis;
use crate::world::World;
use serde_json::{Value, json};
use wreimage_capability::puppet::{
    AgentRun, AgentState, Identity, Provider, RunTimeout, functions,
};
use wreimage_capability::{Call, Fault, Function, Polled, Reconciled, WaitPolicy};

pub(crate) struct Puppet(pub(crate) Seat);

/// How long the agent may take to ask for a certificate.
const REQUEST_TIMEOUT: Millis = 10 * 60 * 1000;

/// The agent of the system that answers.
fn agent_in<'a>(session: &Session<'a>) -> Result<&'a Agent, Fault> {
    let machine = session.machine;
    match &machine.disk {
        Some(disk) if !session.installer => Ok(&disk.agent),
        _ => Err(Fault::rejected(
            "puppet.no-agent",
            machine.fqdn(),
            format!(
                "{} has no Puppet agent: an installer runs there",
                machine.fqdn()
            ),
        )),
    }
}

/// The agent, by the identity that the system lets in.
fn agent<'a>(call: &Call, machine: &'a Machine, world: &World) -> Result<&'a Agent, Fault> {
    let fresh = machine
        .disk
        .as_ref()
        .is_none_or(|disk| disk.accepts == Accepts::Installer);
    let at = if fresh {
        Identity::Installer
    } else {
        Identity::Production
    };
    agent_in(&enter_accepted(call, machine, at, world.now)?)
}

fn agent_of<'a>(call: &Call, world: &'a World, host: &str) -> Result<&'a Agent, Fault> {
    match world.machine(host) {
        Some(machine) => agent(call, machine, world),
        None => Err(Fault::unreachable(
            "remote.unreachable",
            host,
            "no such machine",
        )),
    }
}

impl Puppet {
    async fn run_on_host(
        &self,
        call: &Call,
        function: &Function,
        kind: Kind,
        timeout: RunTimeout,
    ) -> Result<AgentRun, Fault> {
        let run: AgentRun = self
            .0
            .job(call, function, kind, timeout.timeout_ms, |world, host| {
                agent_of(call, world, host)?;
                let first = kind == Kind::First;
                Ok(Some(match kind {
                    Kind::Noop => world.times.agent_run,
                    _ => world.agent_takes(host, first),
                }))
            })
            .await?;
        Ok(kept(call, run))
    }

    async fn run_elsewhere(
        &self,
        call: &Call,
        function: &Function,
        kind: Kind,
        timeout: RunTimeout,
    ) -> Result<AgentRun, Fault> {
        let run: AgentRun = self
            .0
            .job(call, function, kind, timeout.timeout_ms, |world, _| {
                let puppet = &world.services.puppet;
                let agent = match kind {
                    Kind::Monitoring => puppet.monitoring,
                    _ => puppet.controller,
                };
                Ok((agent != Agents::Hangs).then_some(world.times.agent_run))
            })
            .await?;
        Ok(kept(call, run))
    }
}

fn kept(call: &Call, mut run: AgentRun) -> AgentRun {
    if !run.output_tail.is_empty() {
        run.blob = call.keep(run.output_tail.as_bytes());
    }
    run
}

impl Provider for Puppet {
    async fn get_state(&self, call: &Call, at: Identity) -> Result<AgentState, Fault> {
        let state = self.0.look(|machine, world| {
            let agent = agent_in(&enter_accepted(call, machine, at, world.now)?)?;
            Ok(AgentState {
                enabled: agent.disabled.is_none(),
                reason: agent
                    .disabled
                    .as_ref()
                    .map(|disabled| disabled.reason.clone()),
            })
        })?;
        self.0
            .mark(call, "puppet.get-state", "whether the agent may run");
        Ok(state)
    }

    async fn wait_for_success(
        &self,
        call: &Call,
        at: Identity,
        since_ms: u64,
        _policy: WaitPolicy,
    ) -> Result<Polled<u64>, Fault> {
        self.0.look(|machine, world| {
            let session = match enter(machine, at, world.now, call.host_key.as_deref()) {
                Ok(session) => session,
                Err(why) => return Ok(Polled::pending(why.seen(machine))),
            };
            agent_in(&session)?;
            Ok(match machine.last_success(&world.times, world.now) {
                Some(run) if run.began > since_ms => Polled::Ready(run.ended),
                Some(run) => Polled::pending(format!(
                    "the last successful run ended {} s ago",
                    world.now.saturating_sub(run.ended) / 1000
                )),
                None => Polled::pending("no run has succeeded yet"),
            })
        })
    }

    async fn disable(&self, call: &Call, reason: String) -> Result<(), Fault> {
        self.0.change(|world, host| {
            agent_of(call, world, host)?;
            let odd = world.services.puppet.odd.get(host);
            if odd.is_some_and(|odd| odd.cannot_be_disabled) {
                return Err(Fault::timeout(
                    "puppet.agent-runs",
                    world.certificate_name(host),
                    format!("the agent on {host} runs and does not end"),
                ));
            }
            world.agent_changes(host, |agent, _| {
                let ours = Disabled {
                    reason: reason.clone(),
                    by: Some(call.run.clone()),
                };
                // By its reason alone an agent tells whose doing it is.
                match &mut agent.disabled {
                    Some(there) if there.reason != reason => {}
                    disabled => *disabled = Some(ours),
                }
            });
            let shown: String = reason.chars().take(200).collect();
            world.tell(host, format!("Puppet is disabled: {shown:?}"));
            Ok(())
        })
    }

    async fn enable(&self, call: &Call) -> Result<(), Fault> {
        self.0.change(|world, host| {
            match &agent_of(call, world, host)?.disabled {
                None => return Ok(()),
                Some(disabled) if disabled.by.as_deref() == Some(call.run.as_str()) => {}
                Some(disabled) => {
                    let shown: String = disabled.reason.chars().take(200).collect();
                    return Err(Fault::conflict(
                        "puppet.not-ours",
                        world.certificate_name(host),
                        format!("Puppet on {host} was disabled by somebody else ({shown:?}): it stays disabled"),
                    ));
                }
            }
            world.agent_changes(host, |agent, now| {
                agent.disabled = None;
                agent.runs_since = now;
            });
            world.tell(host, "Puppet is enabled");
            Ok(())
        })
    }

    async fn request_certificate(&self, call: &Call) -> Result<String, Fault> {
        let function = &functions::request_certificate;
        self.0
            .job(
                call,
                function,
                Kind::Request,
                REQUEST_TIMEOUT,
                |world, host| {
                    agent_of(call, world, host)?;
                    Ok(Some(world.times.certificate_request))
                },
            )
            .await
    }

    async fn noop_run(&self, call: &Call, timeout: RunTimeout) -> Result<AgentRun, Fault> {
        self.run_on_host(call, &functions::noop_run, Kind::Noop, timeout)
            .await
    }

    async fn first_run(&self, call: &Call, timeout: RunTimeout) -> Result<AgentRun, Fault> {
        let run = self
            .run_on_host(call, &functions::first_run, Kind::First, timeout)
            .await?;
        self.0.mark(
            call,
            "puppet.first-run",
            "whether the first Puppet run succeeds, and how long it takes",
        );
        Ok(run)
    }

    async fn run(&self, call: &Call, timeout: RunTimeout) -> Result<AgentRun, Fault> {
        self.run_on_host(call, &functions::run, Kind::Run, timeout)
            .await
    }

    async fn run_on_controller(&self, call: &Call, timeout: RunTimeout) -> Result<AgentRun, Fault> {
        self.run_elsewhere(
            call,
            &functions::run_on_controller,
            Kind::Controller,
            timeout,
        )
        .await
    }

    async fn run_on_monitoring(&self, call: &Call, timeout: RunTimeout) -> Result<AgentRun, Fault> {
        self.run_elsewhere(
            call,
            &functions::run_on_monitoring,
            Kind::Monitoring,
            timeout,
        )
        .await
    }

    async fn witness(
        &self,
        call: &Call,
        function: &'static Function,
        _arguments: &Value,
    ) -> Result<Value, Fault> {
        self.0.look(|machine, world| {
            let puppet = &world.services.puppet;
            if std::ptr::eq(function, &functions::run_on_controller) {
                return Ok(json!({ "reports": puppet.controller_reports }));
            }
            if std::ptr::eq(function, &functions::run_on_monitoring) {
                return Ok(json!({ "reports": puppet.monitoring_reports }));
            }
            let agent = agent(call, machine, world)?;
            Ok(json!({
                "boot_id": machine.boot_id(),
                "fingerprint": agent.fingerprint,
                "reports": agent.reports,
            }))
        })
    }

    async fn reconcile(
        &self,
        call: &Call,
        function: &'static Function,
        _arguments: &Value,
        witness: &Value,
    ) -> Result<Reconciled, Fault> {
        if let Some(known) = self.0.job_verdict(call, function) {
            return Ok(known);
        }
        let now = match self.witness(call, function, &Value::Null).await {
            Ok(now) => now,
            Err(fault) => return Ok(Reconciled::Unknown(fault.message)),
        };
        Ok(if now == *witness {
            Reconciled::DidNot
        } else {
            Reconciled::Unknown(
                "the agent has reported since, and nothing says for whom".to_owned(),
            )
        })
    }
}
