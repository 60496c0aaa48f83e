//! Placeholder.
use crate::SiteError;
use crate::site::Site;
use crate::target::Target;
use wreimage_capability::Providers;
pub(crate) fn open(_site: &Site, _target: &Target) -> Result<Providers, SiteError> {
    Ok(Providers::new())
}
