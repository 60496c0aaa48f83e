pub(crate) mod cursor;
pub(crate) mod resume;
pub(crate) mod verify;
