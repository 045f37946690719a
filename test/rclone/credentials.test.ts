// Credentials of rclone's endpoints. The names of options are those of `rclone config providers` (1.75).
import { describe, expect, test } from "bun:test";
import { createRemoteMask, maskRemote } from "../../lib/mask.ts";

describe("maskRemote", () => {
  test.each([
    ["/data/photos", "/data/photos"],
    ["gdrive:folder/a b", "gdrive:folder/a b"],
    [
      ":s3,provider=AWS,access_key_id=AKIAXYZ,secret_access_key=topsecret,region=eu:bucket/path",
      ":s3,provider=AWS,access_key_id=***,secret_access_key=***,region=eu:bucket/path",
    ],
    [":sftp,host=h,user=u,pass=obscured,port=22:dir", ":sftp,host=h,user=u,pass=***,port=22:dir"],
    [
      `:webdav,url='https://u:pw@h/dav',bearer_token="a,b:c""d":x`,
      ":webdav,url='https://u:***@h/dav',bearer_token=***:x",
    ],
    [`remote,password='it''s, a: secret':path`, "remote,password=***:path"],
    [":http,url=https://host/,headers='Cookie,abc':", ":http,url=https://host/,headers=***:"],
    ["https://user:pw@host/path", "https://user:***@host/path"],
    [
      "job --s3-secret-access-key=abc --sftp-pass def -v",
      "job --s3-secret-access-key=*** --sftp-pass *** -v",
    ],
    [`--sftp-pass 'two words' --x`, "--sftp-pass *** --x"],
    ["--s3-env-auth --transfers 4", "--s3-env-auth --transfers 4"],
    ["a,b=c,secretive path", "a,b=c,secretive path"],
  ])("%s", (text, masked) => expect(maskRemote(text)).toBe(masked));

  test.each(
    (
      "access_grant access_key_id access_token api_key api_password app_token auth_token authorization bearer_token " +
      "client_secret cookies file_password key key_file_pass key_pem library_key link_password mailbox_password " +
      "master_key otp_secret_key pass passphrase password password2 private_key refresh_token sas_url secret " +
      "secret_access_key service_account_credentials session_token sse_customer_key token"
    ).split(" "),
  )("option %s", (name) => expect(maskRemote(`:x,${name}=value:path`)).toBe(`:x,${name}=***:path`));

  test.each([
    "chunk_size",
    "endpoint",
    "host",
    "no_check_bucket",
    "port",
    "provider",
    "region",
    "upload_cutoff",
    "user",
  ])("option %s is no secret", (name) =>
    expect(maskRemote(`:x,${name}=value:path`)).toBe(`:x,${name}=value:path`),
  );
});

test("createRemoteMask hides the credentials of a row wherever they turn up", () => {
  const hide = createRemoteMask([
    ":s3,secret_access_key='top''secret':bucket",
    "--sftp-pass",
    "anothersecret",
    "--header=Authorization:abcdefgh",
    "--token=short",
    "--sftp-pass",
    "correct horse",
    "https://user:webdav-password@host/dav",
    "--s3-env-auth",
    "--transfers",
  ]);
  expect(hide("correct horse or webdav-password with --transfers")).toBe("*** or *** with --transfers");
  expect(hide("signing with top'secret, then anothersecret")).toBe("signing with ***, then ***");
  expect(hide("sent Authorization:abcdefgh")).toBe("sent ***");
  expect(hide("a short text")).toBe("a short text");
  expect(hide('"--token=short" ":s3,key=x:b"')).toBe('"--token=*** ":s3,key=***:b"');
});
