//! TLS by rustls: whom a connection trusts, and what it shows of itself.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    version,
};
use secretkit_core::{Error, Result};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::settings::{Tls, TlsMode, Trust, private_key_file};

/// How to speak TLS in this mode.
///
/// # Errors
/// [`Error::File`] and [`Error::UnsafeStore`] of the files that are named, [`Error::Unsupported`] where they hold nothing
/// that can be used.
pub(crate) fn connector(tls: &Tls, mode: TlsMode) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions: Vec<&'static SupportedProtocolVersion> = [(2, &version::TLS12), (3, &version::TLS13)]
        .into_iter()
        .filter(|(number, _)| tls.versions.contains(number))
        .map(|(_, version)| version)
        .collect();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|_| unusable("these versions of TLS cannot be used"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(tls, mode, &provider)?);
    let mut config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            private_key_file(key)?;
            let chain = certificates(certificate)?;
            let key_bytes = PrivateKeyDer::from_pem_file(key).map_err(|error| of_pem(key, error))?;
            builder
                .with_client_auth_cert(chain, key_bytes)
                .map_err(|_| unusable("sslcert and sslkey do not belong together"))?
        }
    };
    config.enable_sni = tls.shows_name;
    // Asked for by servers that begin with TLS, and understood by all that know it.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

fn verifier(tls: &Tls, mode: TlsMode, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if mode < TlsMode::VerifyAuthority {
        return Ok(Arc::new(Anybody(Arc::clone(provider))));
    }
    let mut roots = RootCertStore::empty();
    match tls.trust.as_ref().unwrap_or(&Trust::System) {
        Trust::File(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|_| unusable("sslrootcert holds a certificate that cannot be used"))?;
            }
        }
        Trust::System => {
            // One that cannot be read is one that is not trusted.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let full = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| unusable("there is no authority to trust; name one with sslrootcert"))?;
    Ok(match mode {
        TlsMode::VerifyAuthority => Arc::new(AnyName(full)),
        _ => full,
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).map_err(|error| of_pem(path, error))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| of_pem(path, error))?;
    if found.is_empty() { Err(unusable(&format!("{} holds no certificate", path.display()))) } else { Ok(found) }
}

fn of_pem(path: &Path, error: rustls::pki_types::pem::Error) -> Error {
    match error {
        rustls::pki_types::pem::Error::Io(error) => Error::file(path, error),
        _ => unusable(&format!(
            "{} is no PEM file with what is asked of it; a key must not be encrypted",
            path.display()
        )),
    }
}

fn unusable(words: &str) -> Error {
    Error::Unsupported(words.to_owned())
}

/// `verify-ca`: whoever an authority has signed, whatever their name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is the last thing that is looked at.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// `require` and `prefer`: whoever answers. It keeps out those who only listen.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
