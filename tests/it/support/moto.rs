//! The S3 of moto (PyPI): an implementation that owes nothing to ours, for the ordinary path over the wire.
//! It checks credentials, not checksums; the strict server does the rest.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::process::{Outcome, Server};
use super::python::python;

/// Starts moto on a free port, prints the address, ends when its standard input closes. Moto answers without
/// looking at signatures until it has seen a number of calls; 0 makes it look at once.
const SERVE: &str = r#"
import sys, threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"{host}:{port}", flush=True)
sys.stdin.read()
server.stop()
"#;

/// A script's opening: an S3 client for the endpoint in its first argument.
const CLIENT: &str = r#"
import sys, json, boto3, botocore.config
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1",
    aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3],
    config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
"#;

/// A running moto.
pub struct Moto {
    server: Server,
    /// Access key of a user who may do everything.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

impl Moto {
    /// Starts it with these empty buckets; any credentials will do.
    pub fn start(buckets: &[&str]) -> Self {
        let moto = Self { server: serve(), access_key: "testing".to_owned(), secret_key: "testing-secret".to_owned() };
        for bucket in buckets {
            moto.boto3("s3.create_bucket(Bucket=sys.argv[4])", &[bucket]).expect_code(0);
        }
        moto
    }

    /// Starts it with these empty buckets and one user; any other credentials are refused from here on.
    pub fn start_with_authentication(buckets: &[&str]) -> Self {
        let mut moto = Self::start(buckets);
        let user = moto.boto3(MAKE_USER, &[]).expect_code(0);
        let mut words = user.stdout.split_whitespace();
        moto.access_key = words.next().unwrap_or_default().to_owned();
        moto.secret_key = words.next().unwrap_or_default().to_owned();
        moto
    }

    /// URL of the server, for `endpoint:`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Runs Python with `s3`, a boto3 client of this server; `sys.argv[4]` is the first argument.
    pub fn boto3(&self, script: &str, arguments: &[&str]) -> Outcome {
        boto3(&self.endpoint(), &self.access_key, &self.secret_key, script, arguments)
    }
}

fn serve() -> Server {
    Server::start(python().command().arg("-c").arg(SERVE), Duration::from_secs(900))
}

/// Makes a user who may do everything in S3, prints its keys and switches authentication on.
const MAKE_USER: &str = r#"
import urllib.request
iam = boto3.client("iam", endpoint_url=sys.argv[1], region_name="us-east-1",
    aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3])
iam.create_user(UserName="deliverer")
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="deliverer", PolicyName="all", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="deliverer")["AccessKey"]
request = urllib.request.Request(sys.argv[1] + "/moto-api/reset-auth", data=b"0", method="POST", headers={"Content-Type": "text/plain"})
urllib.request.urlopen(request).read()
print(key["AccessKeyId"], key["SecretAccessKey"])
"#;

/// Runs Python with `s3`, a boto3 client of any server; `sys.argv[4]` is the first argument.
pub fn boto3(endpoint: &str, access_key: &str, secret_key: &str, script: &str, arguments: &[&str]) -> Outcome {
    let all: Vec<&str> = [endpoint, access_key, secret_key].into_iter().chain(arguments.iter().copied()).collect();
    python().script(&format!("{CLIENT}\n{script}"), &all)
}
