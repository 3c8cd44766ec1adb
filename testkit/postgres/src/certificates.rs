//! Certificates, made for one server and its standbys.

use std::net::Ipv4Addr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};

/// What a server shows to those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A certificate for `localhost` and `127.0.0.1`, signed by the authority that clients are told of.
    Right,
    /// One for another host, signed by that authority.
    OfAnotherHost,
    /// One for the right host, signed by an authority that nobody knows.
    OfAnotherAuthority,
    /// One that was right until some years ago.
    Expired,
    /// One for the right host that could sign others: what PostgreSQL's manual makes for a quick start.
    OfAnAuthority,
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// An authority, and one that has nothing to do with it.
#[derive(Debug)]
pub(crate) struct Authorities {
    right: Authority,
    other: Authority,
}

#[derive(Debug)]
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authorities {
    pub(crate) fn new() -> Self {
        Self { right: Authority::new("Tests"), other: Authority::new("Somebody else") }
    }

    pub(crate) fn right(&self) -> &str {
        &self.right.certificate
    }

    pub(crate) fn other(&self) -> &str {
        &self.other.certificate
    }

    pub(crate) fn server(&self, shown: Shown) -> Pair {
        let mut parameters = CertificateParams::default();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let localhost = "localhost".try_into().expect("ASCII");
        parameters.subject_alt_names =
            vec![SanType::DnsName(localhost), SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
        parameters.distinguished_name.push(DnType::CommonName, "localhost");
        match shown {
            Shown::Right | Shown::OfAnotherAuthority => {}
            Shown::OfAnotherHost => {
                parameters.subject_alt_names = vec![SanType::DnsName("elsewhere.example".try_into().expect("ASCII"))];
                parameters.distinguished_name.push(DnType::CommonName, "elsewhere.example");
            }
            Shown::Expired => {
                parameters.not_before = date_time_ymd(2019, 1, 1);
                parameters.not_after = date_time_ymd(2020, 1, 1);
            }
            Shown::OfAnAuthority => parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        }
        let authority = if shown == Shown::OfAnotherAuthority { &self.other } else { &self.right };
        authority.sign(parameters)
    }

    /// A certificate by which a client is the role `user`.
    pub(crate) fn client(&self, user: &str) -> Pair {
        let mut parameters = CertificateParams::default();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.distinguished_name.push(DnType::CommonName, user);
        self.right.sign(parameters)
    }
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = parameters.self_signed(&key).expect("an authority signs itself").pem();
        Self { certificate, issuer: Issuer::new(parameters, key) }
    }

    fn sign(&self, mut parameters: CertificateParams) -> Pair {
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("an authority signs").pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}
