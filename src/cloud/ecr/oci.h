#ifndef CLOUD_ECR_OCI_H
#define CLOUD_ECR_OCI_H

#include "cloud/ecr/ecr.h"

/* Between the files of the OCI distribution API. */
struct oci_call {
    struct ecr *ecr;
    struct exchange *x;
    const char *repository; /* NULL: about the registry */
    const char *reference;  /* what stands behind: a digest, a tag, an upload's id; may be "" */
    struct err err;
};

void oci_handle_blob(struct oci_call *call);
void oci_handle_upload(struct oci_call *call);

#define OCI_NO_DIGEST "A digest is sha256: and 64 hexadecimal digits, or sha512: and 128."

/* Answers, with the distribution API's codes. */
void oci_fail(struct oci_call *call, int status, const char *code, const char *message);
/* What went wrong below, with the code for what was looked for. */
void oci_fail_err(struct oci_call *call, const char *code);
void oci_no_method(struct oci_call *call);
void oci_reply_header(struct oci_call *call, const char *name, const char *format, ...)
    PRINTF(3, 4);

int oci_is_method(const struct oci_call *call, const char *method);
int oci_is_read(const struct oci_call *call); /* GET or HEAD */
/* 0: the signer may; -1: answered. */
int oci_allowed(struct oci_call *call, const char *action);

#endif
