//! How rows come to their files: lanes encode them, and write them too where files are plain; rows that come in no lane are
//! encoded on several threads, as far as there is room for their bytes.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use outflow_formats::workers::threads;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::place::Placer;
use super::route::{Encoded, Router};
use super::write::Files;
use super::{Shared, blocking, running};
use crate::error::{Error, Result};
use crate::lane::{End, lock};

/// A batch on its way to its files.
pub(super) enum Portion {
    /// To be placed and written, with what lends it memory.
    Encoded(Encoded, Option<OwnedSemaphorePermit>),
    /// So many rows are in their files.
    Written(usize),
}

/// Plain files, and where rows go in them.
#[derive(Clone)]
pub(super) struct Plain {
    /// Where.
    pub(super) placer: Shared<Placer>,
    /// The files.
    pub(super) files: Shared<Files>,
}

/// What ends a lane. Where rows go `into` plain files they are written by the thread whose processor has their bytes in its
/// cache. Were another one to read them, this one would wait to write in the same memory again, where the two share no cache.
pub(super) fn end(mut router: Router, into: Option<Plain>) -> End<Portion> {
    let settle = into.map(|Plain { placer, files }| -> Box<dyn FnMut(_) -> _> {
        Box::new(move |portion| {
            let Portion::Encoded(encoded, _) = portion else { return Ok(portion) };
            let (placements, count) = {
                let mut placer = lock(&placer);
                (placer.place(&encoded)?, placer.files.len())
            };
            lock(&files).put(count, &placements, &encoded.content)?;
            Ok(Portion::Written(encoded.rows))
        })
    });
    End { make: Box::new(move |batch| Ok(Portion::Encoded(router.split(&batch)?.encode()?, None))), settle }
}

/// Rows that come in no lane, encoded.
pub(super) fn encoded(
    rows: SendableRecordBatchStream,
    mut router: Router,
    encodings: Arc<Semaphore>,
) -> impl Stream<Item = Result<Portion>> + Send {
    let permitted = rows.then(move |batch| {
        let encodings = encodings.clone();
        async move {
            let batch = batch.map_err(running)?;
            let permit = encodings.acquire_owned().await.map_err(|_| Error::internal("the spool is closed"))?;
            Ok((batch, permit))
        }
    });
    let encoded = permitted.map(move |permitted: Result<_>| {
        let split = permitted.and_then(|(batch, permit)| Ok((router.split(&batch)?, permit)));
        async {
            let (split, permit) = split?;
            Ok(Portion::Encoded(blocking(|| split.encode()).await?, Some(permit)))
        }
    });
    encoded.buffered(2 * threads())
}
