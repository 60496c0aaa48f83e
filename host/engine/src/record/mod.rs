pub(crate) mod recorder;
pub(crate) mod redact;
