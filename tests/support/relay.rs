//! A way to another server that can be closed and opened, and that can be encrypted on the near side.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crew::base::Tracker;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

/// The way, on a port of its own.
pub struct Relay {
    pub port: u16,
    is_open: watch::Sender<bool>,
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_open, opened) = watch::channel(true);
        let address = address.to_owned();
        let (tracker, passing) = (Tracker::new(), Tracker::new());
        tracker.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                passing.spawn(pass(near, address.clone(), acceptor.clone(), opened.clone()));
            }
        });
        Self { port, is_open }
    }

    /// Breaks what goes this way and takes nothing, or takes it again.
    pub fn open(&self, open: bool) {
        self.is_open.send_replace(open);
    }
}

async fn pass(
    mut near: TcpStream,
    address: String,
    acceptor: Option<TlsAcceptor>,
    mut opened: watch::Receiver<bool>,
) {
    if !*opened.borrow() {
        return;
    }
    let passing = async {
        let mut far = TcpStream::connect(address).await?;
        match acceptor {
            None => copy_bidirectional(&mut near, &mut far).await,
            Some(acceptor) => copy_bidirectional(&mut acceptor.accept(near).await?, &mut far).await,
        }
    };
    tokio::select! {
        _ = passing => {}
        _ = opened.wait_for(|open| !open) => {}
    }
}
