//! The program of `docs/tutorial-rust.md`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;

use secretkit::{Result, Scope, SecretId, SecretValue};
use secretkit_examples::reports::{keep_password, open, password_length, send, tagged};

fn main() -> Result<()> {
    let secrets = open(Path::new("data"), Path::new("configuration"))?;
    let info = keep_password(&secrets, &SecretValue::copied_from(b"hunter2"))?;
    println!("{} is at revision {}", info.address, info.revision);

    let scope: Scope = "acme/etl/production".parse()?;
    println!("the password has {} characters", password_length(&secrets, &scope)?);

    let output = send(
        &secrets,
        &scope,
        r#"echo "in a variable: ${#PGPASSWORD}, in a file: $(wc -c <"$PGPASSFILE" | tr -d ' ')""#,
    )?;
    print!("{}", String::from_utf8_lossy(&output.stdout));

    println!("tagged reports: {:?}", tagged(&secrets, scope.org(), "reports")?);

    let id: SecretId = "acme/etl:db/password".parse()?;
    match secrets.delete(&id) {
        Err(error) => println!("{}: {error}", error.kind()),
        Ok(_) => println!("deleted"),
    }
    secrets.remove_consumer(&id, &"reports:send".parse()?)?;
    secrets.delete(&id)?;
    Ok(())
}
