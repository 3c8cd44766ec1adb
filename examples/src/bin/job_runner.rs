//! Two jobs at two scopes, each with the secrets it asked for.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use secretkit::{Access, MemoryStore, PutMode, Result, RootKey, SecretRequest, SecretValue, Secrets};
use secretkit_examples::jobs::{Job, run};

fn main() -> Result<()> {
    let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
    let put = |id: &str, value: &[u8]| secrets.put(&id.parse()?, &SecretValue::copied_from(value), PutMode::Create);
    put("acme:api_key", b"for-everyone")?;
    put("acme/etl/production:api_key", b"for-etl-in-production")?;
    put("acme/*/production:cert", b"-----BEGIN CERTIFICATE-----\n")?;

    let job = Job {
        script: r#"echo "API_KEY has ${#API_KEY} characters, and $CERT has $(wc -c < "$CERT") bytes""#,
        requests: vec![
            SecretRequest::new("api_key".parse()?).with_variable("API_KEY".parse()?),
            SecretRequest::new("cert".parse()?).as_file().with_variable("CERT".parse()?),
        ],
    };
    for scope in ["acme/etl/production", "acme/web/production"] {
        println!("{scope}: {}", run(&secrets, &scope.parse()?, &job)?);
    }
    Ok(())
}
