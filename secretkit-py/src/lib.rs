//! The compiled half of the Python package `secretkit`. It is private: what users import is `python/secretkit`.
//!
//! Python classes live here only where plaintext does: `value`, `secrets`, `task`, `variable`. Requests, settings,
//! decorators and exceptions are Python. A value crosses the border in `value` and nowhere else.

mod command;
mod error;
mod gate;
mod harden;
mod keywords;
mod moment;
mod text;
mod value;

mod edit;
mod examine;
mod exchange;
mod info;
mod listing;
mod request;
mod secrets;
mod store;
mod task;
mod variable;

use pyo3::prelude::*;

/// The compiled half of secretkit; import `secretkit` instead.
#[pymodule(gil_used = false)]
mod _secretkit {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // That of the package as well: maturin takes it from the same manifest.
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        command::register(module)?;
        error::register(module)?;
        gate::register(module)?;
        harden::register(module)?;
        value::register(module)?;
        examine::register(module)?;
        exchange::register(module)?;
        info::register(module)?;
        listing::register(module)?;
        request::register(module)?;
        secrets::register(module)?;
        store::register(module)?;
        variable::register(module)?;
        task::register(module)
    }
}
