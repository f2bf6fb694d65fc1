//! What an institution must know of us to serve us at a channel: handed over on paper or by a safe way (`doors.md` §0).
use serde::Serialize;

use super::channel_key::own_key_of;
use super::{OurPurpose, by_code, channel, platform};
use crate::db::Tx;
use crate::error::Error;
use crate::kernel::channel::ChannelName;
use crate::protocol::crypto::MasterKey;

/// A registration, as the sandbox institution reads it. Holds the APIv3 key: for the institution's eyes only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// Our number at the channel.
    pub sp_mchid: String,
    /// Our application there.
    pub sp_appid: String,
    /// Serial of the certificate that signs our requests.
    pub serial: String,
    /// The public half of that key, PEM.
    pub public_key: String,
    /// The APIv3 key: 32 characters.
    pub apiv3_key: String,
    /// The key that signs our files, PEM.
    pub file_public_key: String,
}

/// Our registration at an institution's channel at `at` (unix microseconds): with our key of this serial there, or the one
/// that signs.
pub fn registration(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    (institution, name): (&str, ChannelName),
    serial: Option<&str>,
    at: i64,
) -> Result<Registration, Error> {
    let institution = by_code(tx, institution)?.id;
    let profile = channel(tx, institution, name)?;
    let own = own_key_of(tx, master, &profile, serial, at)?;
    Ok(Registration {
        sp_mchid: profile.sp_mchid,
        sp_appid: profile.sp_appid,
        serial: own.serial,
        public_key: own.private_key.public_key().and_then(|key| key.to_pem()).map_err(Error::internal)?,
        apiv3_key: own.apiv3_key.expose().to_owned(),
        file_public_key: platform::public_key(tx, OurPurpose::Files, at)?,
    })
}
