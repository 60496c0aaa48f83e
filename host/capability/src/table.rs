//! The macro that makes of one effect table a capability's description, its provider trait, and the glue on both sides
//! of the gate.

/// `get_power_state` as WIT writes it: `get-power-state`.
pub(crate) const fn kebab<const N: usize>(snake: &str) -> [u8; N] {
    let bytes = snake.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        #[allow(clippy::indexing_slicing)]
        // evaluated at compile time: out of bounds is a compile error
        {
            out[i] = if bytes[i] == b'_' { b'-' } else { bytes[i] };
        }
        i += 1;
    }
    out
}

/// One line a function: its effect class, its name and types as `bindgen!` has them, for a mutation that must not outlive the
/// run its inverse, and what it means to the engine.
macro_rules! effects {
    (
        $(#[$doc:meta])*
        $capability:ident $interface:literal served by $server:ident in $path:path
        $(, acts on $subject:expr)?;
        $(
            $effect:ident $function:ident ( $($argument:ident : $type:ty),* ) -> $returns:ty
            $(, undo $inverse:ident if $valid:path as $thing:literal)?
            $(, doubt $doubt:ident)?
            $(, role $role:expr)* ;
        )*
    ) => {
        use $path as generated;

        /// One entry of the effect table a function.
        #[allow(non_upper_case_globals)]
        pub mod functions {
            // The types of the outcomes.
            #[allow(unused_imports, clippy::wildcard_imports)]
            use super::*;

            $(
                #[doc = concat!("`", stringify!($capability), ".", stringify!($function), "`")]
                pub static $function: $crate::Function = $crate::Function {
                    capability: super::CAPABILITY.name,
                    name: {
                        const BYTES: [u8; stringify!($function).len()] =
                            $crate::table::kebab(stringify!($function));
                        match ::std::str::from_utf8(&BYTES) {
                            Ok(name) => name,
                            Err(_) => "",
                        }
                    },
                    effect: $crate::table::effects!(@effect $effect),
                    inverse: $crate::table::effects!(@inverse $($inverse, $valid, $thing)?),
                    doubt: $crate::table::effects!(@doubt $($doubt)?),
                    roles: &[ $($role),* ],
                    returns: $crate::effect::Returns::of(stringify!($returns)),
                    understand: |outcome| {
                        $crate::border::value(&<$returns as ::serde::Deserialize>::deserialize(outcome)?)
                    },
                };
            )*
        }

        /// The capability and its effect table.
        pub static CAPABILITY: $crate::Capability = $crate::Capability {
            name: {
                const BYTES: [u8; stringify!($capability).len()] =
                    $crate::table::kebab(stringify!($capability));
                match ::std::str::from_utf8(&BYTES) {
                    Ok(name) => name,
                    Err(_) => "",
                }
            },
            interface: $interface,
            server: $crate::Server::$server,
            subject: $crate::table::effects!(@subject $($subject)?),
            functions: &[ $( &functions::$function ),* ],
        };

        $(#[$doc])*
        ///
        /// A `wait` function looks once; the gate looks again. A `once` function never retries by itself, and answers
        /// `in-doubt` or `timeout` when it cannot tell whether it had its effect.
        pub trait Provider: Send + Sync {
            $(
                #[doc = concat!("Effect: ", stringify!($effect), ".")]
                fn $function(
                    &self,
                    call: &$crate::Call,
                    $($argument: $type),*
                ) -> impl Future<Output = Result<$crate::table::effects!(@answer $effect $returns), $crate::Fault>> + Send;
            )*

            /// Looks at the world before a `once` call.
            fn witness(
                &self,
                call: &$crate::Call,
                function: &'static $crate::Function,
                arguments: &::serde_json::Value,
            ) -> impl Future<Output = Result<::serde_json::Value, $crate::Fault>> + Send {
                let _ = (call, function, arguments);
                async { Ok(::serde_json::Value::Null) }
            }

            /// Compares the world with the witness of a `once` call whose outcome is unknown.
            fn reconcile(
                &self,
                call: &$crate::Call,
                function: &'static $crate::Function,
                arguments: &::serde_json::Value,
                witness: &::serde_json::Value,
            ) -> impl Future<Output = Result<$crate::Reconciled, $crate::Fault>> + Send {
                let _ = (call, arguments, witness);
                let text = format!("nothing can tell whether {function} happened");
                async move { Ok($crate::Reconciled::Unknown(text)) }
            }
        }

        /// Puts a provider behind plain values, for [`Providers::add`](crate::Providers::add).
        pub fn serve<P: Provider + 'static>(
            provider: P,
        ) -> (&'static str, ::std::sync::Arc<dyn $crate::Dispatch>) {
            (CAPABILITY.name, ::std::sync::Arc::new(Served(provider)))
        }

        struct Served<P>(P);

        impl<P: Provider> $crate::Dispatch for Served<P> {
            fn perform<'a>(
                &'a self,
                call: &'a $crate::Call,
                function: &'static $crate::Function,
                arguments: &'a ::serde_json::Value,
            ) -> $crate::BoxFuture<'a, Result<$crate::Answer, $crate::Fault>> {
                let _ = arguments;
                $(
                    if ::std::ptr::eq(function, &functions::$function) {
                        return Box::pin(async move {
                            $(
                                let $argument: $type =
                                    $crate::border::argument(function, arguments, stringify!($argument))?;
                            )*
                            let answer = self.0.$function(call, $($argument),*).await?;
                            $crate::table::effects!(@plain $effect answer)
                        });
                    }
                )*
                Box::pin(async move { Err($crate::Fault::unknown_function(function)) })
            }

            fn witness<'a>(
                &'a self,
                call: &'a $crate::Call,
                function: &'static $crate::Function,
                arguments: &'a ::serde_json::Value,
            ) -> $crate::BoxFuture<'a, Result<::serde_json::Value, $crate::Fault>> {
                Box::pin(self.0.witness(call, function, arguments))
            }

            fn reconcile<'a>(
                &'a self,
                call: &'a $crate::Call,
                function: &'static $crate::Function,
                arguments: &'a ::serde_json::Value,
                witness: &'a ::serde_json::Value,
            ) -> $crate::BoxFuture<'a, Result<$crate::Reconciled, $crate::Fault>> {
                Box::pin(self.0.reconcile(call, function, arguments, witness))
            }
        }

        impl generated::Host for $crate::Border {
            $(
                async fn $function(
                    &mut self,
                    $($argument: $type),*
                ) -> ::wasmtime::Result<Result<$returns, $crate::Fault>> {
                    let arguments = $crate::border::arguments([
                        $( (stringify!($argument), $crate::border::value(&$argument)) ),*
                    ])?;
                    self.call(&functions::$function, arguments).await
                }
            )*
        }

        /// Gives a linker this interface under a name, for one component of a guest.
        ///
        /// # Errors
        /// When the linker has that name already.
        pub(crate) fn link<T: Send + 'static>(
            linker: &mut ::wasmtime::component::Linker<T>,
            name: &str,
            caller: $crate::Caller,
            border: fn(&mut T) -> &mut $crate::Border,
        ) -> ::wasmtime::Result<()> {
            let mut instance = linker.instance(name)?;
            $(
                instance.func_wrap_async(
                    functions::$function.name,
                    move |mut store: ::wasmtime::StoreContextMut<'_, T>,
                          ($($argument,)*): ($($type,)*)| {
                        Box::new(async move {
                            let border = border(store.data_mut());
                            border.is_called_by(caller);
                            let answer = generated::Host::$function(border, $($argument),*).await?;
                            Ok((answer,))
                        })
                    },
                )?;
            )*
            Ok(())
        }
    };

    (@subject) => { $crate::Subject::Other };
    (@subject $subject:expr) => { $subject };

    (@effect read) => { $crate::Effect::Read };
    (@effect wait) => { $crate::Effect::Wait };
    (@effect write) => { $crate::Effect::Write };
    (@effect once) => { $crate::Effect::Once };
    (@doubt) => { $crate::Doubt::Asked };
    (@doubt told) => { $crate::Doubt::Told };
    (@effect ask) => { $crate::Effect::Ask };
    (@effect note) => { $crate::Effect::Note };

    (@answer wait $returns:ty) => { $crate::Polled<$returns> };
    (@answer $effect:ident $returns:ty) => { $returns };

    (@plain wait $answer:ident) => { $crate::providers::plain($answer) };
    (@plain $effect:ident $answer:ident) => { $crate::providers::plain($crate::Polled::Ready($answer)) };

    (@inverse) => { None };
    (@inverse $inverse:ident, $valid:path, $thing:literal) => {
        Some($crate::Inverse {
            function: {
                const BYTES: [u8; stringify!($inverse).len()] =
                    $crate::table::kebab(stringify!($inverse));
                match ::std::str::from_utf8(&BYTES) {
                    Ok(name) => name,
                    Err(_) => "",
                }
            },
            valid: $valid,
            thing: $thing,
        })
    };
}

pub(crate) use effects;
