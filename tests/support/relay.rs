//! A way to another server that can be closed and opened, and that can be encrypted on the near side.

use std::sync::{Arc, Condvar, Mutex, mpsc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_rustls::TlsAcceptor;

use super::served::Served;

/// The way, on a port of its own.
pub struct Relay {
    pub port: u16,
    orders: UnboundedSender<Order>,
    refused: Arc<Refused>,
    /// Ends it when dropped.
    _served: Served,
}

/// Whether it is to be open, and whom to tell once it is so.
type Order = (bool, mpsc::Sender<()>);

/// How often somebody was turned away since that was last asked.
#[derive(Default)]
struct Refused {
    count: Mutex<usize>,
    grown: Condvar,
}

/// A certificate of a server here that nobody trusts, in PEM, and what shows it.
pub fn certificate() -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let der = STANDARD.encode(made.cert.der());
    let text = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    (text, Arc::new(config).into())
}

impl Relay {
    /// To the server at `address`; encrypted where there is an `acceptor`. Open.
    pub async fn to(address: &str, acceptor: Option<TlsAcceptor>) -> Self {
        let (orders, mut taken) = unbounded_channel();
        let (address, refused) = (address.to_owned(), Arc::new(Refused::default()));
        let told = Arc::clone(&refused);
        let served = Served::by(async move |listener| {
            serve(listener, &address, acceptor.as_ref(), &mut taken, &told).await;
        });
        let served = served.await;
        Self { port: served.address.port(), orders, refused, _served: served }
    }

    /// Takes whoever comes, again.
    pub fn open(&self) {
        self.order(true);
    }

    /// Breaks what goes this way, and takes nothing more. Nothing gets through once this returns.
    pub fn close(&self) {
        self.order(false);
    }

    fn order(&self, open: bool) {
        let (done, doing) = mpsc::channel();
        self.orders.send((open, done)).unwrap();
        doing.recv().unwrap();
    }

    /// Waits until somebody was turned away since it was closed, or since this was last called.
    pub fn wait_for_refusal(&self) {
        let count = self.refused.count.lock().unwrap();
        *self.refused.grown.wait_while(count, |count| *count == 0).unwrap() = 0;
    }
}

async fn serve(
    listener: TcpListener,
    address: &str,
    acceptor: Option<&TlsAcceptor>,
    orders: &mut UnboundedReceiver<Order>,
    refused: &Refused,
) {
    let (mut is_open, mut passing) = (true, FuturesUnordered::new());
    loop {
        tokio::select! {
            biased;
            Some((open, done)) = orders.recv() => {
                is_open = open;
                if !open {
                    *refused.count.lock().unwrap() = 0;
                    passing.clear();
                }
                let _ = done.send(());
            }
            Ok((near, _)) = listener.accept() => {
                if is_open {
                    passing.push(pass(near, address, acceptor));
                } else {
                    *refused.count.lock().unwrap() += 1;
                    refused.grown.notify_all();
                }
            }
            Some(_) = passing.next() => {}
        }
    }
}

async fn pass(
    mut near: TcpStream,
    address: &str,
    acceptor: Option<&TlsAcceptor>,
) -> std::io::Result<(u64, u64)> {
    let mut far = TcpStream::connect(address).await?;
    match acceptor {
        None => copy_bidirectional(&mut near, &mut far).await,
        Some(acceptor) => copy_bidirectional(&mut acceptor.accept(near).await?, &mut far).await,
    }
}
