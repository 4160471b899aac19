#include "cli/oci.h"

#include "base/file.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An image on disk: https://github.com/opencontainers/image-spec/blob/main/image-layout.md */

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define REF_NAME "org.opencontainers.image.ref.name"
enum { BLOBS = OCI_LAYERS + 2 };

static int join(char out[PATH_MAX], const char *folder, const char *name, struct err *err)
{
    int size = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return size < 0 || size >= PATH_MAX
               ? err_set(err, ERR_TOO_BIG, "write image: the path of %s is too long", name)
               : 0;
}

static int write_file(const char *folder, const char *name, const void *data, size_t size,
                      struct err *err)
{
    char path[PATH_MAX];
    return join(path, folder, name, err) < 0 ? -1 : file_write(path, data, size, 0644, err);
}

static int is_empty(const char *folder)
{
    int count = 0;
    DIR *names = opendir(folder);
    if (!names)
        return 1; /* absent, or what making it will say */
    for (struct dirent *name; (name = readdir(names));)
        count += strcmp(name->d_name, ".") != 0 && strcmp(name->d_name, "..") != 0;
    closedir(names);
    return count == 0;
}

/* Only a folder of its own: something else there is not ours to mix with. */
static int check_folder(const char *folder, struct err *err)
{
    char mark[PATH_MAX];
    if (join(mark, folder, "oci-layout", err) < 0)
        return -1;
    if (access(mark, F_OK) < 0 && !is_empty(folder))
        return err_set(err, ERR_EXISTS, "write image: %s is there, and is no image", folder);
    return 0;
}

static void list_blobs(const struct oci_image *image, const struct oci_blob *blobs[BLOBS])
{
    for (int i = 0; i < OCI_LAYERS; i++)
        blobs[i] = &image->layers[i];
    blobs[OCI_LAYERS] = &image->config;
    blobs[OCI_LAYERS + 1] = &image->manifest;
}

static int write_blobs(const struct oci_image *image, const char *folder, struct err *err)
{
    const struct oci_blob *blobs[BLOBS];
    list_blobs(image, blobs);
    for (int i = 0; i < BLOBS; i++) {
        const struct buf *data = &blobs[i]->data;
        const char *name = strchr(blobs[i]->digest, ':') + 1;
        if (write_file(folder, name, data->data, data->size, err) < 0)
            return -1;
    }
    return 0;
}

static int is_blob(const struct oci_image *image, const char *name)
{
    const struct oci_blob *blobs[BLOBS];
    list_blobs(image, blobs);
    for (int i = 0; i < BLOBS; i++)
        if (strcmp(strchr(blobs[i]->digest, ':') + 1, name) == 0)
            return 1;
    return 0;
}

/* After the index that named them is gone. */
static int remove_old(const struct oci_image *image, const char *folder, struct err *err)
{
    int done = 0;
    char path[PATH_MAX];
    DIR *names = opendir(folder);
    if (!names)
        return err_set_errno(err, "open %s", folder);
    for (struct dirent *name; done == 0 && (name = readdir(names));)
        if (name->d_name[0] != '.' && !is_blob(image, name->d_name))
            done = join(path, folder, name->d_name, err) < 0 ? -1 : file_remove(path, err);
    closedir(names);
    return done;
}

static int write_index(const struct oci_image *image, const char *folder, const char *tag,
                       struct err *err)
{
    json_t *index =
        json_pack("{s:i, s:s, s:[{s:s, s:s, s:I, s:{s:s, s:s}, s:{s:s}}]}", "schemaVersion", 2,
                  "mediaType", INDEX_TYPE, "manifests", "mediaType", OCI_MANIFEST_TYPE, "digest",
                  image->manifest.digest, "size", (json_int_t)image->manifest.data.size, "platform",
                  "architecture", image->architecture, "os", "linux", "annotations", REF_NAME, tag);
    char *text = index ? json_dumps(index, JSON_COMPACT) : NULL;
    json_decref(index);
    if (!text)
        return err_set(err, ERR_INVALID, "write image: \"%s\" is no tag", tag);
    int done = write_file(folder, "index.json", text, strlen(text), err);
    free(text);
    return done;
}

int oci_write(const struct oci_image *image, const char *folder, const char *tag, struct err *err)
{
    static const char mark[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    char blobs[PATH_MAX];
    if (check_folder(folder, err) < 0 || join(blobs, folder, "blobs/sha256", err) < 0 ||
        file_make_folders(blobs, 0755, err) < 0 || write_blobs(image, blobs, err) < 0 ||
        write_file(folder, "oci-layout", mark, strlen(mark), err) < 0 ||
        write_index(image, folder, tag, err) < 0)
        return -1;
    return remove_old(image, blobs, err);
}
