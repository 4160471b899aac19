"""Zips of functions for the tests of Lambda and API Gateway."""
import io
import shutil
import zipfile

SHELL = r"""#!/bin/sh
# A custom runtime as AWS's tutorial has it.
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
echo "shell function starts"
while true; do
    headers="$TMPDIR/headers"
    event=$(curl -sS -D "$headers" "$api/invocation/next") || exit 1
    id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *//Ip' "$headers" | tr -d '[:space:]')
    echo "shell got $event"
    curl -sS -d "{\"shell\": $event}" "$api/invocation/$id/response" >/dev/null
done
"""

NODE = r"""#!/usr/bin/env node
const http = require('http');
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true });
const call = (method, path, body) => new Promise((resolve, reject) => {
  const request = http.request({ host, port, agent, method, path: '/2018-06-01/runtime/' + path },
    (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve([response.headers, Buffer.concat(parts).toString()]));
    });
  request.on('error', reject);
  request.end(body);
});
(async () => {
  for (;;) {
    const [headers, body] = await call('GET', 'invocation/next');
    const id = headers['lambda-runtime-aws-request-id'];
    console.log('node got', body);
    await call('POST', `invocation/${id}/response`,
      JSON.stringify({ node: JSON.parse(body), arn: headers['lambda-runtime-invoked-function-arn'],
        left: Number(headers['lambda-runtime-deadline-ms']) - Date.now() }));
  }
})().catch((error) => { console.error(error); process.exit(1); });
"""


def make_zip(files):
    """A zip as bytes. Values: the content, or (content, mode)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def shell_zip():
    return make_zip({"bootstrap": (SHELL, 0o755)})


def node_zip():
    return make_zip({"bootstrap": (NODE, 0o755)})


def program_zip(path, **more):
    """The zip of a built program as bootstrap."""
    with open(path, "rb") as program:
        return make_zip({"bootstrap": (program.read(), 0o755), **more})


def allow_gateway(client, name, statement="gateway", **more):
    """APIs may invoke the function: all of them, or the SourceArn that is given."""
    client.add_permission(FunctionName=name, StatementId=statement, Principal="apigateway.amazonaws.com",
                          Action="lambda:InvokeFunction", **more)


def allow_service(client, name, service, **more):
    """A service ("s3", "sns") may invoke the function."""
    client.add_permission(FunctionName=name, StatementId=service, Action="lambda:InvokeFunction",
                          Principal=service + ".amazonaws.com", **more)


def allow_anybody(client, name, **more):
    """Its URL is open to all."""
    client.add_permission(FunctionName=name, StatementId="url", Action="lambda:InvokeFunctionUrl",
                          Principal="*", FunctionUrlAuthType="NONE", **more)


def has(command):
    return shutil.which(command) is not None
