//! No value in anything that can be printed: every error that a value can provoke and every public type that touched
//! one, in `{}`, `{:?}` and `{:#?}`, searched for the value in every form in which a leak has been seen elsewhere.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

/// The search of the conformance kit, without the feature that brings it.
#[allow(dead_code, unreachable_pub, reason = "it is written for the kit")]
#[path = "../src/conformance/needles.rs"]
mod needles;

use std::fmt::{Debug, Display, Write};
use std::sync::Arc;

use needles::Needles;

use secretkit_core::deliver::{Delivery, DeliveryOptions, FileMount};
use secretkit_core::seal::WrappingKey;
use secretkit_core::store::{Batch, Change, Target, Want, Within};
use secretkit_core::{
    Access, Actor, Encoding, Error, ErrorKind, MemoryStore, PutMode, RootKey, Scope, SecretId, SecretRequest,
    SecretStore, SecretValue, Secrets,
};

/// Long enough that no part of an address or a digest holds it by chance, and with bytes that base64 and quoting change.
const CANARY: &[u8] = b"cAnArY\"7f~Zq/xW-v9KkLmP0";

#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, what: &dyn Debug) {
        writeln!(self.0, "{what:?}\n{what:#?}").unwrap();
    }

    fn error(&mut self, error: &Error) {
        self.debug(error);
        writeln!(self.0, "{error}").unwrap();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            writeln!(self.0, "{cause}\n{cause:?}\n{cause:#?}").unwrap();
            source = cause.source();
        }
    }

    fn display(&mut self, what: &dyn Display) {
        writeln!(self.0, "{what}").unwrap();
    }

    fn holds(&self) -> Option<String> {
        Needles::of([CANARY, &CANARY[..8]]).find(self.0.as_bytes())
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for text in ["cAnArY\\\"7f~Zq/xW-v9KkLmP0", "cAnArY\"7", "Y0FuQXJZIjdmflpxL3hXLXY5S2tMbVAw", "63416e4172592237"] {
        assert!(Printed(format!("before {text} after")).holds().is_some(), "{text}");
    }
    assert_eq!(Printed("cAnArY alone is no value".to_owned()).holds(), None);
    let mut printed = Printed::default();
    printed.debug(&CANARY);
    assert!(printed.holds().is_some(), "a derived Debug of bytes");
}

#[test]
fn no_type_that_touched_a_value_prints_it() {
    let base = tempfile::tempdir().unwrap();
    let (store, root) = (Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()));
    let secrets = Secrets::new(Arc::clone(&store) as _, Arc::clone(&root) as _, Access::Unrestricted);
    let id: SecretId = "acme:token".parse().unwrap();
    let value = SecretValue::copied_from(CANARY);
    let info = secrets.put(&id, &value, PutMode::Create).unwrap();
    secrets.put(&id, &value, PutMode::Overwrite).unwrap();
    let resolved = secrets.get(&id).unwrap();
    assert_eq!(resolved.value.expose_secret(), CANARY);
    let fetched = store.fetch(&[Want { target: Target::Exact(id.clone()), revision: Some(info.revision) }]).unwrap();
    let record = fetched[0].as_ref().unwrap().record.clone();
    let batch = Batch { expectations: Vec::new(), changes: vec![Change::Insert(record)], ..Batch::default() };
    let name = id.name().clone();
    let requests = [
        SecretRequest::new(name.clone()).with_variable("TOKEN".parse().unwrap()),
        SecretRequest::new(name.clone()).as_file(),
    ];
    let mut options = DeliveryOptions::default();
    options.mount_bases = vec![base.path().to_owned()];
    let delivery = Delivery::prepare(&secrets, &"acme".parse().unwrap(), &requests, &options).unwrap();
    let mut mount = FileMount::create(&[base.path().to_owned()]).unwrap();
    mount.write(name.key(), &value).unwrap();
    let wrapping = WrappingKey::try_init_with(|bytes| {
        bytes[..CANARY.len()].copy_from_slice(CANARY);
        Ok::<(), Error>(())
    });

    let mut printed = Printed::default();
    let listed: Vec<_> = secrets.list(Within::Org(id.org().clone()), 10).collect();
    let things: [&dyn Debug; 17] = [
        &value,
        &value.clone(),
        &info,
        &resolved,
        &fetched,
        &batch,
        &requests,
        &delivery,
        &delivery.environment(),
        &mount,
        &secrets,
        &store,
        &root,
        &wrapping.unwrap(),
        &listed,
        &Encoding::Base64.encode(&value).unwrap(),
        &SecretValue::from(CANARY.to_vec()),
    ];
    things.into_iter().for_each(|thing| printed.debug(thing));
    printed.display(&*store);
    printed.display(&info.digest);
    printed.display(&info.address);
    assert!(printed.0.contains("[REDACTED]"));
    assert_eq!(printed.holds(), None);
}

#[test]
fn no_error_that_a_value_provokes_holds_it() {
    let canary = std::str::from_utf8(CANARY).unwrap();
    let value = || SecretValue::copied_from(CANARY);
    let root = Arc::new(RootKey::generate().unwrap());
    let secrets = Secrets::new(Arc::new(MemoryStore::new()), root, Access::Unrestricted);
    let id: SecretId = "acme:token".parse().unwrap();
    let info = secrets.put(&id, &value(), PutMode::Create).unwrap();
    let task: Scope = "acme/etl/production".parse().unwrap();

    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("root.key");
    std::fs::write(&key_file, CANARY).unwrap();
    let exposed = RootKey::from_file(&key_file).err();
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key_file, owner_only).unwrap();

    let nul = SecretValue::from([CANARY, b"\0"].concat());
    secrets.put(&"acme:nul".parse().unwrap(), &nul, PutMode::Create).unwrap();
    let deliver =
        |request: SecretRequest| Delivery::prepare(&secrets, &task, &[request], &DeliveryOptions::default()).err();
    let tiny = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted)
        .with_value_limit(4);

    // People paste values where names, scopes and keys belong; each of these is the value in the wrong place.
    let provoked: Vec<Option<Error>> = vec![
        canary.parse::<secretkit_core::SecretName>().err(),
        canary.parse::<Scope>().err(),
        canary.parse::<SecretId>().err(),
        format!("acme:{canary}").parse::<SecretId>().err(),
        canary.parse::<secretkit_core::StableId>().err(),
        canary.parse::<secretkit_core::VariableName>().err(),
        Actor::parse(&format!("{canary}\n")).err(),
        secretkit_core::Tags::parse([format!("{canary}\n").as_str()]).err(),
        secretkit_core::Description::parse(&format!("{canary}\n")).err(),
        secretkit_core::seal::KekId::parse(&format!("{canary} ")).err(),
        Encoding::Base64.decode(value()).err(),
        Encoding::Text.decode(SecretValue::from([CANARY, b"\xff"].concat())).err(),
        secrets.put(&id, &value(), PutMode::Create).err(),
        secrets.put(&id, &value(), PutMode::Update(info.generation.next())).err(),
        secrets.update(&"acme:gone".parse().unwrap(), &value()).err(),
        tiny.put(&id, &value(), PutMode::Create).err(),
        secretkit_core::SealedValue::from_bytes(CANARY).err(),
        secretkit_core::Digest::from_bytes(CANARY).err(),
        exposed,
        RootKey::from_file(&key_file).err(),
        deliver(SecretRequest::new("nul".parse().unwrap()).with_variable("V".parse().unwrap())),
        deliver(SecretRequest::new("gone".parse().unwrap()).as_file()),
    ];
    let mut printed = Printed::default();
    let mut kinds = std::collections::HashSet::<ErrorKind>::new();
    for (number, error) in provoked.iter().enumerate() {
        let error = error.as_ref().unwrap_or_else(|| panic!("number {number} is no error"));
        kinds.insert(error.kind());
        printed.error(error);
    }
    assert!(kinds.len() >= 13, "{kinds:?}");
    assert_eq!(printed.holds(), None);
}

#[test]
fn serde_refuses_a_value_in_a_names_place_without_quoting_it() {
    let text = serde_json::to_string(std::str::from_utf8(CANARY).unwrap()).unwrap();
    let mut printed = Printed::default();
    printed.display(&serde_json::from_str::<secretkit_core::SecretName>(&text).unwrap_err());
    printed.display(&serde_json::from_str::<Scope>(&text).unwrap_err());
    assert_eq!(printed.holds(), None);
}
