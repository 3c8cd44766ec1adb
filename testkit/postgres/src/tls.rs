//! What the server shows, and what clients are given to check it.

use std::path::PathBuf;

use crate::certificates::Shown;
use crate::server::Server;

impl Server {
    /// The authority that signed the server's certificate, as a file.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.home.path("tls/authority.pem")
    }

    /// An authority that signed nothing here, as a file.
    #[must_use]
    pub fn other_authority(&self) -> PathBuf {
        self.home.path("tls/other-authority.pem")
    }

    /// A certificate and a key by which a client is the role `user`, as files. A line of [`Options::access`] with `cert` has the
    /// server ask for it.
    ///
    /// [`Options::access`]: crate::Options::access
    #[must_use]
    pub fn client_certificate(&self, user: &str) -> (PathBuf, PathBuf) {
        let pair = self.authorities.client(user);
        let names = [format!("tls/{user}.pem"), format!("tls/{user}.key")];
        self.home.write(&names[0], &pair.certificate);
        self.home.write(&names[1], &pair.key);
        (self.home.path(&names[0]), self.home.path(&names[1]))
    }

    /// Has the server show another certificate to those who connect from now on.
    pub fn show(&self, shown: Shown) {
        self.place(shown);
        self.reload();
    }

    pub(crate) fn place(&self, shown: Shown) {
        let pair = self.authorities.server(shown);
        self.home.write("data/server.pem", &pair.certificate);
        self.home.write("data/server.key", &pair.key);
    }
}
