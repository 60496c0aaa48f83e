//! Streams: what is written becomes log lines, and nothing can be read.

use super::types::{Input, Output, Pollable, StreamError};
use super::{HasWasi, Stream, Wasi};
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime::{Result, bail};

/// How many bytes may be written at once.
const AT_ONCE: u64 = 64 << 10;

fn at_once(count: u64, does: &str, what: &str) -> Result<()> {
    if count > AT_ONCE {
        bail!("it {does} {count} {what} at once, and may do so with {AT_ONCE}");
    }
    Ok(())
}

type Answer<T> = std::result::Result<T, StreamError>;

/// Gives the linker this function of `wasi:io/streams`; false when it is none of those that work here.
pub(super) fn streams<T: HasWasi>(into: &mut LinkerInstance<'_, T>, name: &str) -> Result<bool> {
    match name {
        "[method]output-stream.check-write" => into
            .func_wrap(name, |_, (_,): (Resource<Output>,)| {
                Ok((Answer::Ok(AT_ONCE),))
            })?,
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => into
            .func_wrap_async(
                name,
                |mut store, (to, bytes): (Resource<Output>, Vec<u8>)| {
                    Box::new(async move {
                        // `check-write` has said so: who writes more breaks the interface.
                        at_once(bytes.len() as u64, "writes", "bytes")?;
                        let stream = Stream::of_number(to.rep());
                        store.data_mut().wasi().write(stream, &bytes).await?;
                        Ok((Answer::Ok(()),))
                    })
                },
            )?,
        "[method]output-stream.write-zeroes"
        | "[method]output-stream.blocking-write-zeroes-and-flush" => {
            into.func_wrap_async(name, |mut store, (to, length): (Resource<Output>, u64)| {
                Box::new(async move {
                    at_once(length, "writes", "zeroes")?;
                    let zeroes = vec![0; usize::try_from(length)?];
                    let stream = Stream::of_number(to.rep());
                    store.data_mut().wasi().write(stream, &zeroes).await?;
                    Ok((Answer::Ok(()),))
                })
            })?
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            into.func_wrap(name, |_, (_,): (Resource<Output>,)| Ok((Answer::Ok(()),)))?
        }
        "[method]output-stream.subscribe" => into
            .func_wrap(name, |mut store, (_,): (Resource<Output>,)| {
                Ok((store.data_mut().wasi().pollable(0)?,))
            })?,
        "[method]output-stream.splice" | "[method]output-stream.blocking-splice" => into
            .func_wrap(
                name,
                |_, (_, _, _): (Resource<Output>, Resource<Input>, u64)| {
                    Ok((Answer::<u64>::Err(StreamError::Closed),))
                },
            )?,
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => into
            .func_wrap(name, |_, (_, _): (Resource<Input>, u64)| {
                Ok((Answer::<Vec<u8>>::Err(StreamError::Closed),))
            })?,
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => into
            .func_wrap(name, |_, (_, _): (Resource<Input>, u64)| {
                Ok((Answer::<u64>::Err(StreamError::Closed),))
            })?,
        "[method]input-stream.subscribe" => into
            .func_wrap(name, |mut store, (_,): (Resource<Input>,)| {
                Ok((store.data_mut().wasi().pollable(0)?,))
            })?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// The same for `wasi:io/poll`.
pub(super) fn poll<T: HasWasi>(into: &mut LinkerInstance<'_, T>, name: &str) -> Result<bool> {
    match name {
        "[method]pollable.ready" => {
            into.func_wrap(name, |mut store, (pollable,): (Resource<Pollable>,)| {
                Ok((store.data_mut().wasi().is_ready(&pollable),))
            })?
        }
        "[method]pollable.block" => {
            into.func_wrap_async(name, |mut store, (pollable,): (Resource<Pollable>,)| {
                Box::new(async move {
                    store.data_mut().wasi().poll(&[pollable]).await?;
                    Ok(())
                })
            })?
        }
        "poll" => into.func_wrap_async(name, |mut store, (all,): (Vec<Resource<Pollable>>,)| {
            Box::new(async move { Ok((store.data_mut().wasi().poll(&all).await?,)) })
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Standard output or standard error.
pub(super) fn output(stream: Stream) -> Resource<Output> {
    Resource::new_own(stream.number())
}

/// Standard input, which has ended.
pub(super) fn input() -> Resource<Input> {
    Resource::new_own(0)
}

impl Wasi {
    pub(super) fn random_bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        at_once(length, "wants", "random bytes")?;
        Ok(self.random.bytes(usize::try_from(length)?))
    }

    pub(super) fn random_number(&mut self) -> u64 {
        self.random.number()
    }
}
