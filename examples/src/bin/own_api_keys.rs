//! Keeps an API key in an encrypted file beside the application's data, and uses it.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;

use secretkit::{Result, SecretValue, create_root_key};
use secretkit_examples::api_keys::ApiKeys;

fn main() -> Result<()> {
    let (store, key) = ("sqlite:my-app/secrets.db", "file:my-app.key");
    if !Path::new("my-app.key").exists() {
        create_root_key(Path::new("my-app.key"))?;
    }
    let keys = ApiKeys::new(secretkit::open(store, key)?);
    keys.keep("weather", &SecretValue::copied_from(b"k3y-from-the-weather-people"))?;
    let header = keys.authorization("weather")?;
    println!("calling the weather service with a header of {} characters", header.len());
    Ok(())
}
