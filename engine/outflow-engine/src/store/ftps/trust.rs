//! Which server a TLS connection may end at: one that this machine's or given certificates vouch for, or the very
//! certificate that was pinned. It never trusts more than that, and remembers what it saw.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use outflow_spec::sink::{FtpsSink, TlsVersion};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::pipeline::hex;

/// The digest of the certificate that the server showed last.
pub(super) type Seen = Arc<Mutex<Option<String>>>;

/// The settings of TLS for a sink. Reads the file with certificates, or this machine's.
pub(super) fn settings(sink: &FtpsSink, base: &Path, seen: &Seen) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier { anchor: anchor(sink, base, &provider)?, provider: provider.clone(), seen: seen.clone() };
    let versions: &[_] = match sink.newest_tls {
        TlsVersion::Tls12 => &[&rustls::version::TLS12],
        TlsVersion::Tls13 => &[&rustls::version::TLS12, &rustls::version::TLS13],
    };
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let builder = builder.map_err(|error| Error::internal(format!("TLS cannot be set up: {error}")))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn anchor(sink: &FtpsSink, base: &Path, provider: &Arc<CryptoProvider>) -> Result<Anchor> {
    if let Some(pin) = &sink.certificate_sha256 {
        return Ok(Anchor::Pin(pin.replace(':', "").to_ascii_lowercase()));
    }
    let mut roots = RootCertStore::empty();
    match &sink.ca_file {
        Some(path) => {
            let place = base.join(path);
            let wrong = |why: String| {
                Error::user(format!("`ca_file` `{path}` cannot be used: {why}"))
                    .hint("it holds certificates as PEM, each between BEGIN CERTIFICATE and END CERTIFICATE")
            };
            let listed = CertificateDer::pem_file_iter(&place).map_err(|error| wrong(error.to_string()))?;
            for certificate in listed {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("it holds no certificate".to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(Error::external("this machine has no certificates to trust servers by")
                    .hint("install the package `ca-certificates`, or name a `ca_file`"));
            }
        }
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    Ok(Anchor::Roots(built.map_err(|error| Error::internal(format!("TLS cannot be set up: {error}")))?))
}

#[derive(Debug)]
enum Anchor {
    /// The digest of the one certificate.
    Pin(String),
    /// Certificates of those who vouch.
    Roots(Arc<WebPkiServerVerifier>),
}

#[derive(Debug)]
struct Verifier {
    anchor: Anchor,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let digest = hex(&Sha256::digest(certificate));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest.clone());
        match &self.anchor {
            Anchor::Pin(pin) if *pin == digest => Ok(ServerCertVerified::assertion()),
            Anchor::Pin(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
            Anchor::Roots(roots) => roots.verify_server_cert(certificate, intermediates, name, ocsp, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
