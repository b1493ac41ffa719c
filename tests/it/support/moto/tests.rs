//! Moto as the tests use it: with a user, wrong credentials are refused.

use super::{Moto, boto3};

#[test]
fn moto_knows_its_user_and_no_other() {
    let moto = Moto::start_with_authentication(&["acme-feeds"]);
    moto.boto3("s3.put_object(Bucket=sys.argv[4], Key='k', Body=b'x')", &["acme-feeds"]).expect_code(0);
    moto.boto3("print(s3.get_object(Bucket=sys.argv[4], Key='k')['Body'].read())", &["acme-feeds"])
        .expect_stdout("b'x'");
    let list = "s3.list_objects_v2(Bucket='acme-feeds')";
    boto3(&moto.endpoint(), &moto.access_key, "wrong", list, &[]).expect_code(1).expect_stderr("SignatureDoesNotMatch");
    boto3(&moto.endpoint(), "AKIANOBODY", "wrong", list, &[]).expect_code(1);
}
