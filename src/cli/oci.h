#ifndef CLI_OCI_H
#define CLI_OCI_H

#include "cli/bundle.h"
#include "cli/layer.h"

/* The function as a container image, made in memory without a container engine: the program alone
 * with what it needs of a system (certificates, users, mount points), for any user and a read-only
 * root. The same files give the same bytes. Each layer changes alone, the gallery's most often.
 * https://github.com/opencontainers/image-spec */

enum oci_layer { OCI_NETWORKS, OCI_FUNCTION, OCI_GALLERY, OCI_LAYERS };

#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_PROGRAM "/bootstrap"
#define OCI_USER "65532:65532" /* nobody in particular, and not root */

struct oci_blob {
    struct buf data;
    char digest[LAYER_DIGEST_BYTES];
};

struct oci_image {
    struct oci_blob layers[OCI_LAYERS], config, manifest;
    size_t unpacked_bytes;
    const char *architecture; /* "amd64" or "arm64", as the program says */
};

struct oci_files {
    struct bundle_files function;
    const char *certificates; /* whom https trusts; NULL: the system's */
};

/* `image` is to be finished also after a failure. */
int oci_make(struct oci_image *image, const struct oci_files *files, struct err *err) MUST_USE;
void oci_finish(struct oci_image *image);

/* All blobs together: what a registry keeps and a pull fetches. */
size_t oci_bytes(const struct oci_image *image);
const char *oci_layer_name(enum oci_layer layer); /* "networks" */

/* Writes an image layout (oci-layout, index.json, blobs/sha256) that names the image `tag`. The
 * folder is the image's own: an older image's blobs go. ERR_EXISTS for one that holds other things.
 */
int oci_write(const struct oci_image *image, const char *folder, const char *tag,
              struct err *err) MUST_USE;

#endif
