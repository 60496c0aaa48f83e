//! Why components cannot be joined.

/// Components that cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The guest has nothing to plug into.
    #[error(
        "the guest has no hooks: no component can be plugged into it. `wreimage inspect GUEST` shows what a guest imports"
    )]
    NoHooks,
    /// A hook that nobody serves.
    #[error(
        "nothing serves the hook `{0}` of the guest: plug in a component that exports it, or take the guest as it is shipped, \
         with its defaults"
    )]
    Open(String),
    /// It is a guest itself.
    #[error(
        "{0} is a guest of its own, not a component to plug in: it exports `wreimage:guest/guest`. Give it to `wreimage run`"
    )]
    IsGuest(String),
    /// It has no hook that fits.
    #[error(
        "{plug} exports none of the guest's hooks; it exports {exports}. The hooks are {hooks}"
    )]
    NoneOfTheHooks {
        /// The component.
        plug: String,
        /// What it exports.
        exports: String,
        /// What it could.
        hooks: String,
    },
    /// A hook that would never be called.
    #[error(
        "{plug} exports the hook `{export}`, which the guest does not have: it would never be called. The hooks are {hooks}"
    )]
    UnknownHook {
        /// The component.
        plug: String,
        /// The hook.
        export: String,
        /// What there is.
        hooks: String,
    },
    /// A hook, or the description, of another version.
    #[error(
        "{plug} is built for another version: it exports `{export}`, the guest wants `{wants}`. Build it with this host's \
         `wreimage build`"
    )]
    Version {
        /// The component.
        plug: String,
        /// What it exports.
        export: String,
        /// What it is to export.
        wants: String,
    },
    /// A name that only a composition gives.
    #[error(
        "{part} imports `{import}`: such names belong to components that are plugged in, and nobody else may call by them"
    )]
    Foreign {
        /// The part.
        part: String,
        /// What it imports.
        import: String,
    },
    /// Two for one.
    #[error(
        "{first} and {second} both export the hook `{hook}`: which one counts would be chance. Plug in one of them, or make one \
         component of both"
    )]
    Twice {
        /// The hook.
        hook: String,
        /// One component.
        first: String,
        /// The other.
        second: String,
    },
    /// It does not say what it is.
    #[error(
        "{0} does not say what it is: a component that is plugged in exports `{describe}`, and the site file grants it \
         capabilities by the name that it gives there", describe = crate::DESCRIBE
    )]
    Nameless(String),
    /// It wants what no plugged component can have.
    #[error(
        "{plug} imports `{import}`: a component that is plugged in can import capabilities of `wreimage`, and nothing else"
    )]
    Import {
        /// The component.
        plug: String,
        /// What it wants.
        import: String,
    },
    /// Not a component.
    #[error("{0} is no component: {1}")]
    NoComponent(String, String),
    /// Its types are others.
    #[error("{0} does not fit the guest: {1}")]
    Types(String, String),
    /// Not what it says.
    #[error(
        "this composition is not what its parts make: it was changed, or composed by another version of wreimage. Compose it \
         anew with `wreimage compose`"
    )]
    Altered,
    /// Not readable.
    #[error("this composition cannot be read: {0}")]
    Unreadable(String),
}
