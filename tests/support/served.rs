//! A server on a thread of its own, which answers even while the test waits for the program.

use std::{net::SocketAddr, thread};

use axum::Router;
use tokio::{net::TcpListener, runtime, sync::oneshot};

/// A server on a free port. It ends when it is dropped.
pub struct Served {
    pub address: SocketAddr,
    pub url: String,
    _stop: oneshot::Sender<()>,
}

impl Served {
    pub async fn start(router: Router) -> Self {
        Self::by(async |listener| axum::serve(listener, router).await.unwrap()).await
    }

    /// One that does with its port what `serve` does.
    pub async fn by<S>(serve: S) -> Self
    where
        S: AsyncFnOnce(TcpListener) + Send + 'static,
    {
        let (address, bound) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
                address.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = bound.await.unwrap();
        Self { address, url: format!("http://{address}"), _stop: stop }
    }
}
