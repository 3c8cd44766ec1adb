//! What a task asks for, checked when it is written down.

use pyo3::prelude::*;
use pyo3::types::PyString;
use secretkit::{Error, Fault, Mount, SecretRequest, VariableName};

use crate::error::Result;
use crate::text;

/// A checked request. `secretkit.Secret` is what people write; it makes one of these.
#[pyclass(frozen, module = "secretkit._secretkit", name = "Request")]
pub(crate) struct Request(pub(crate) SecretRequest);

#[pymethods]
impl Request {
    #[new]
    #[pyo3(signature = (group, key, group_version, mount, env_var))]
    fn new(
        group: Option<&Bound<'_, PyString>>,
        key: Option<&Bound<'_, PyString>>,
        group_version: Option<&Bound<'_, PyAny>>,
        mount: u8,
        env_var: Option<&Bound<'_, PyString>>,
    ) -> Result<Self> {
        let mut request = SecretRequest::new(text::name(group, key)?);
        request.revision = group_version.map(text::revision).transpose()?;
        request.variable = env_var.map(variable).transpose()?;
        request.mount = match mount {
            0 => Mount::Any,
            1 => Mount::Variable,
            2 => Mount::File,
            _ => return Err(Error::InvalidRequest("mount_requirement is a Secret.MountType").into()),
        };
        Ok(Self(request))
    }

    /// Whether it is delivered beside the task, in a variable or a file, and not only by `get`.
    #[getter]
    fn beside(&self) -> bool {
        self.0.mount != Mount::Any || self.0.variable.is_some()
    }
}

fn variable(name: &Bound<'_, PyString>) -> Result<VariableName> {
    let invalid =
        |_| Error::InvalidVariable { name: "the secret".to_owned(), fault: Fault::Shape("it is not Unicode") };
    Ok(name.to_str().map_err(invalid)?.parse()?)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Request>()
}
