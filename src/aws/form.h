#ifndef AWS_FORM_H
#define AWS_FORM_H

#include "aws/client.h"

/* The query protocol: a form goes out, XML comes back (IAM, SNS).
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html */

enum { AWS_FORM_MAX_BYTES = 1024 * 1024 }; /* percent-encoded: a message of 256 KiB may triple */

struct aws_form_field {
    const char *name, *value; /* the name goes out as it is */
};

struct aws_form {
    enum aws_service service;
    const char *version, *action;        /* "2010-05-08", "GetRole" */
    const struct aws_form_field *fields; /* the last one has a NULL name; one without a value is
                                            left out */
};

/* The answer is in the client's scratch response. */
int aws_form_send(struct aws_client *client, const struct aws_form *form, struct err *err) MUST_USE;

#endif
