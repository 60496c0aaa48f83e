//! Where a site's own parts come in: before and after each phase, at the choice of the boot media, and when the new system
//! is up. Without such a part nothing happens here.

use crate::machine::Machine;
use crate::options::Asked;
use crate::words::boot_path_word;
use crate::{
    announce, close, deregister, drain, enrol, finalize, first_run, install, mask, populate,
    releases, validate,
};
use wreimage_sdk::hooks::{self, BootMedia, Phase};
use wreimage_sdk::{Actions, Fault, FaultKind};

const NOT_BEGUN: &str = "The phase was not begun.";

/// Does a phase, with what the site does before it and after it.
///
/// # Errors
/// Those of the phase, and those with which the site stops the run.
pub fn around<T>(
    phase: Phase,
    actions: &mut Actions,
    work: impl FnOnce(&mut Actions) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let name = name(&phase);
    let before = hooks::before_phase(&phase)
        .map_err(|fault| site(fault, &format!("before the phase \"{name}\"")).and(NOT_BEGUN))?;
    actions.adopt(name, before);
    let value = work(actions)?;
    let after = hooks::after_phase(&phase)
        .map_err(|fault| site(fault, &format!("after the phase \"{name}\"")))?;
    actions.adopt(name, after);
    Ok(value)
}

/// The boot media that the site chooses for this machine, if they are others than the operator's.
///
/// # Errors
/// When the site stops the run, or names what cannot be boot media. Nothing was changed.
pub fn media(asked: &Asked, machine: &Machine) -> Result<Option<String>, Fault> {
    if machine.present.is_some() {
        return Ok(None);
    }
    let proposed = BootMedia {
        distribution: asked.os.clone(),
        media: asked.pxe_media.clone(),
        is_asked_for: asked.media_is_asked_for(),
        extra: Vec::new(),
    };
    let chosen = hooks::choose_media(&proposed)
        .map_err(|fault| site(fault, "at the choice of the boot media"))?;
    if chosen == asked.pxe_media {
        return Ok(None);
    }
    let chosen = boot_path_word("pxe-media", &chosen).map_err(|_| {
        Fault::new(
            FaultKind::Rejected,
            "reimage.media-wrong",
            "the site's component",
            format!(
                "the site's component for the partitioning chose the boot media {chosen:?}, which is no word of lower-case letters, \
                 digits, dots and dashes. Nothing was touched. Its author must mend it."
            ),
        )
    })?;
    if let Some(releases) = &machine.releases {
        releases::find(releases, &asked.os, &chosen).map_err(|fault| {
            fault
                .before("The site's component for the partitioning chose boot media:")
                .and("Its author must mend it.")
        })?;
    }
    Ok(Some(chosen))
}

/// What the site finds in the new system, which Puppet has configured and which has been restarted since.
///
/// # Errors
/// Those with which the site stops the run.
pub fn check_installed(actions: &mut Actions) -> Result<(), Fault> {
    let found =
        hooks::check_installed().map_err(|fault| site(fault, "at its check of the new system"))?;
    actions.adopt(finalize::PHASE, found);
    Ok(())
}

/// Says that it was the site, not the runbook.
fn site(fault: Fault, when: &str) -> Fault {
    if fault.is(FaultKind::Cancelled) {
        return fault;
    }
    fault.before(&format!("The site's component stopped the run {when}:"))
}

/// The phase in the words of the runbook.
fn name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Validate => validate::PHASE,
        Phase::Announce => announce::PHASE,
        Phase::Drain => drain::PHASE,
        Phase::Deregister => deregister::PHASE,
        Phase::Install => install::PHASE,
        Phase::Mask => mask::PHASE,
        Phase::Enrol => enrol::PHASE,
        Phase::Populate => populate::PHASE,
        Phase::FirstRun => first_run::PHASE,
        Phase::Finalize => finalize::PHASE,
        Phase::Close => close::PHASE,
        Phase::Other(_) => "",
    }
}
