//! Reads an answer as far as it may be long.

use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use reqwest::Url;

use super::{Error, Response, error::classify};

/// Reads up to `most` bytes of the body, and unpacks up to as many.
pub(super) async fn read(mut response: reqwest::Response, url: &Url, most: usize) -> Result<Response, Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    let mut truncated = false;
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(url, error))? {
        let room = most - body.len();
        truncated = chunk.len() > room;
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if truncated {
            break;
        }
    }
    // The connection is of no more use when not all was read, and is closed by this.
    drop(response);
    let mut body = body.freeze();
    if packed(&headers) && !body.is_empty() {
        let wrong = || Error::Packing { host: url.host_str().unwrap_or_default().to_owned() };
        let unpacked = tokio::task::spawn_blocking(move || unpack(&body, most, truncated)).await;
        (body, truncated) = unpacked.ok().flatten().ok_or_else(wrong)?;
    }
    Ok(Response { status, headers, url: url.to_string(), body, truncated })
}

fn packed(headers: &HeaderMap) -> bool {
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    encoding
        .is_some_and(|encoding| matches!(encoding.trim().to_ascii_lowercase().as_str(), "gzip" | "x-gzip"))
}

/// Up to `most` bytes of what is packed in `body`, and whether there is more. `None` when it is not packed so; of one that
/// was `cut` short, what can be had.
fn unpack(body: &[u8], most: usize, cut: bool) -> Option<(Bytes, bool)> {
    let mut text = Vec::new();
    let limit = u64::try_from(most).ok()?.checked_add(1)?;
    let read = MultiGzDecoder::new(body).take(limit).read_to_end(&mut text);
    if read.is_err() && (!cut || text.is_empty()) {
        return None;
    }
    let truncated = cut || text.len() > most;
    text.truncate(most);
    Some((text.into(), truncated))
}
