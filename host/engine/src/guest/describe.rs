//! A guest, and each component that is plugged into it, is asked what it is: without capabilities, and with little of everything.

use crate::guest::engine::Engine;
use crate::guest::error::GuestError;
use crate::guest::limits::{Bounds, Limits};
use crate::guest::trap;
use crate::wasi::{self, HasWasi, Nowhere, Wasi};
use std::time::Duration;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentNamedList, Instance, InstancePre, Lift, Linker};
use wasmtime::{Store, Trap};
use wreimage_capability::guest::{Description, OptionKind};
use wreimage_capability::{is_shown, plug};

/// How long a component may take to say what it is.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the store holds of an instance that may only describe itself.
pub(crate) struct Silent {
    bounds: Bounds,
    wasi: Wasi,
}

impl HasWasi for Silent {
    fn wasi(&mut self) -> &mut Wasi {
        &mut self.wasi
    }
}

/// A component whose every import traps, but for the closed WASI.
pub(crate) fn link_silently(
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<InstancePre<Silent>> {
    let mut linker: Linker<Silent> = Linker::new(engine.wasm());
    wasi::link(&mut linker, engine.wasm(), component)?;
    for (import, item) in component.component_type().imports(engine.wasm()) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if wasi::is_offered(import) {
            continue;
        }
        let mut into = linker.instance(import)?;
        for (name, item) in instance.exports(engine.wasm()) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                let what = format!("{import}#{name}");
                into.func_new(name, move |_, _, _, _| {
                    wasmtime::bail!("it calls {what} where it may only describe itself")
                })?;
            }
        }
    }
    linker.define_unknown_imports_as_traps(component)?;
    linker.instantiate_pre(component)
}

/// Asks a component by the function `describe` of this interface, in a fresh instance.
async fn ask<T>(engine: &Engine, silent: &InstancePre<Silent>, interface: &str) -> Result<T, String>
where
    (T,): ComponentNamedList + Lift,
    T: Send + Sync + 'static,
{
    let limits = Limits::default().for_describe();
    // These limits are fixed: no key of the site file helps.
    let failed = |error: wasmtime::Error| {
        format!(
            "could not describe itself: {}; its author must mend it",
            trap::describe(&error, limits, "", "")
        )
    };
    let mut store = silent_store(engine, limits).map_err(failed)?;
    let asked = async {
        let instance = silent.instantiate_async(&mut store).await?;
        let describe = function(&mut store, &instance, interface)?;
        let (description,) = describe.call_async(&mut store, ()).await?;
        Ok(description)
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(description)) => Ok(description),
        Ok(Err(error)) => Err(match exception(&error, &mut store).await {
            Some(exception) => format!("could not describe itself: {exception}"),
            None => failed(error),
        }),
        Err(_) => Err(format!(
            "could not describe itself: it took longer than {} s",
            DEADLINE.as_secs()
        )),
    }
}

fn function<T>(
    store: &mut Store<Silent>,
    instance: &Instance,
    interface: &str,
) -> wasmtime::Result<wasmtime::component::TypedFunc<(), (T,)>>
where
    (T,): ComponentNamedList + Lift,
{
    let function = instance
        .get_export_index(&mut *store, None, interface)
        .and_then(|it| instance.get_export_index(&mut *store, Some(&it), "describe"))
        .ok_or_else(|| wasmtime::Error::msg(format!("it has no `describe` in {interface}")))?;
    instance.get_typed_func(store, function)
}

/// The traceback of what it died of, where its language has one.
async fn exception(error: &wasmtime::Error, store: &mut Store<Silent>) -> Option<String> {
    if error.downcast_ref::<Trap>() != Some(&Trap::UnreachableCodeReached) {
        return None;
    }
    let _logged = store.data_mut().wasi.flush().await;
    store.data().wasi.exception()
}

/// A store of an instance that is only asked what it is.
fn silent_store(engine: &Engine, limits: Limits) -> wasmtime::Result<Store<Silent>> {
    let silent = Silent {
        bounds: limits.bounds(),
        wasi: Wasi::new(Box::new(Nowhere), "describe"),
    };
    let mut store = Store::new(engine.wasm(), silent);
    store.limiter(|silent| &mut silent.bounds);
    limits.fill(&mut store)?;
    Ok(store)
}

/// Asks the guest what it is.
pub(crate) async fn guest(
    engine: &Engine,
    silent: &InstancePre<Silent>,
    interface: &str,
) -> Result<Description, GuestError> {
    let described = ask(engine, silent, interface).await;
    let description = described.map_err(GuestError::Describe)?;
    check_words(&description).map_err(GuestError::Describe)?;
    Ok(description)
}

/// Asks a component that is plugged in, or is to be, what it is.
pub(crate) async fn plug(
    engine: &Engine,
    silent: &InstancePre<Silent>,
    interface: &str,
) -> Result<plug::Description, String> {
    let description = ask(engine, silent, interface).await?;
    check_plug(&description)?;
    Ok(description)
}

/// The name of a component that is plugged in is one of a site file, and what it says is shown on terminals.
fn check_plug(description: &plug::Description) -> Result<(), String> {
    let name = &description.name;
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !is_name {
        return Err(format!(
            "calls itself {name:?}, which is no name of lower-case letters, digits and dashes; its author must give it one"
        ));
    }
    let words = [&description.version, &description.summary];
    let extra = pairs(&description.extra).map(|(_, word)| word);
    if description.version.is_empty()
        || words
            .into_iter()
            .chain(extra)
            .any(|word| !word.chars().all(is_shown))
    {
        return Err(format!(
            "is `{name}`, and has no version, or a control or invisible character in its words; its author must mend them"
        ));
    }
    Ok(())
}

/// Grants and records name a component: no two may have one name.
pub(crate) fn check_names(guest: &str, plugs: &[String]) -> Result<(), GuestError> {
    let mut seen = vec![guest];
    for (index, name) in plugs.iter().enumerate() {
        if seen.contains(&name.as_str()) {
            return Err(GuestError::Plugged(
                index + 1,
                format!(
                    "is called `{name}`, as another component of this guest: nobody could tell them apart"
                ),
            ));
        }
        seen.push(name);
    }
    Ok(())
}

/// What the guest says of itself is shown on terminals and in reports: nothing of it may move the cursor or break a line.
fn check_words(description: &Description) -> Result<(), String> {
    for word in [&description.name, &description.version] {
        if word.is_empty() || !word.chars().all(is_shown) {
            return Err(format!(
                "calls itself {word:?}, which is no name or version; its author must give it one"
            ));
        }
    }
    let mut words = vec![("summary", &description.summary)];
    words.extend(pairs(&description.extra));
    for option in &description.options {
        words.push(("option name", &option.name));
        words.push(("option help", &option.help));
        words.extend(option.short.iter().map(|it| ("option letter", it)));
        words.extend(option.value_name.iter().map(|it| ("value name", it)));
        words.extend(option.default.iter().map(|it| ("default", it)));
        words.extend(option.needs.iter().map(|it| ("needed capability", it)));
        words.extend(pairs(&option.extra));
        match &option.kind {
            OptionKind::Choice(choices) => {
                words.extend(choices.iter().map(|it| ("choice", it)));
            }
            OptionKind::Other(kind) => words.push(("option kind", kind)),
            _ => {}
        }
    }
    match words
        .into_iter()
        .find(|(_, word)| !word.chars().all(is_shown))
    {
        None => Ok(()),
        Some((what, word)) => Err(format!(
            "has a control or invisible character in the {what} {word:?}; its author must take it out"
        )),
    }
}

fn pairs(extra: &[(String, String)]) -> impl Iterator<Item = (&'static str, &String)> {
    extra
        .iter()
        .flat_map(|(key, value)| [("extra key", key), ("extra value", value)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use wreimage_capability::guest::OptionSpec;

    fn described(change: impl FnOnce(&mut Description)) -> Result<(), String> {
        let mut description = Description {
            name: "g".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "Looks".to_owned(),
            mutates: false,
            options: vec![OptionSpec {
                name: "os".to_owned(),
                short: None,
                help: "What to install".to_owned(),
                value_name: Some("OS".to_owned()),
                kind: OptionKind::Choice(vec!["trixie".to_owned()]),
                default: Some("trixie".to_owned()),
                required: false,
                needs: vec![],
                extra: vec![],
            }],
            extra: vec![],
        };
        change(&mut description);
        check_words(&description)
    }

    /// An option with a control character there is refused.
    fn wrong(change: impl Fn(&mut OptionSpec, String)) {
        let told = described(|it| {
            for option in &mut it.options {
                change(option, "a\u{1b}[2J".to_owned());
            }
        });
        assert!(
            told.as_ref()
                .is_err_and(|error| error.contains("control or invisible character")),
            "{told:?}"
        );
    }

    #[test]
    fn a_description_has_no_control_characters() {
        assert!(described(|_| {}).is_ok());
        assert!(described(|it| it.version.clear()).is_err());
        // An override of the direction shows another text than is there.
        assert!(described(|it| it.summary = "a\u{202e}b".to_owned()).is_err());
        wrong(|option, text| option.name = text);
        wrong(|option, text| option.help = text);
        wrong(|option, text| option.value_name = Some(text));
        wrong(|option, text| option.default = Some(text));
        wrong(|option, text| option.kind = OptionKind::Choice(vec![text]));
        assert!(described(|it| it.summary = "two\nlines".to_owned()).is_err());
        assert!(described(|it| it.name = "g\n".to_owned()).is_err());
    }
}
