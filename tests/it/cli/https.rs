use super::{ended, fleetpulse};
use crate::support::{Scene, ServiceProcess};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../../fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../fixtures/tls/server.key");

/// Starts a proxy that accepts TLS and forwards to a service; returns its port.
async fn terminated(service: &ServiceProcess) -> u16 {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(CERTIFICATE)
        .map(Result::unwrap)
        .collect();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = service.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate disconnects.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(behind).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[actix_web::test]
async fn the_tools_speak_https_and_check_the_certificate() {
    let scene = Scene::new().await;
    let service = scene.start_process().await;
    let port = terminated(&service).await;
    let url = format!("https://localhost:{port}");
    let trusting = |words: &[&str]| {
        let mut command = fleetpulse(words);
        command.env("SSL_CERT_FILE", AUTHORITY);
        command
    };
    let checked = ended(trusting(&["check", "--url", &url])).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let loaded = ended(trusting(&[
        "load",
        "batch",
        "--url",
        &url,
        "--duration=200ms",
        "--entities=20",
        "--batch-size=10",
        "--connections=2",
        "--json",
    ]))
    .await;
    assert_eq!(loaded.code, Some(0), "{loaded:?}");

    let distrusted = ended(fleetpulse(&["check", "--url", &url])).await;
    assert_eq!(distrusted.code, Some(1), "{distrusted:?}");
    assert!(distrusted.err.contains("certificate"), "{distrusted:?}");
    // Valid for `localhost` and 127.0.0.1, and for no other name of this machine.
    let other = ended(trusting(&["check", "--url", &format!("https://127.0.0.2:{port}")])).await;
    assert_eq!(other.code, Some(1), "{other:?}");
}
