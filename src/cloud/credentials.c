#include "base/file.h"
#include "base/random.h"
#include "cloud/cloud.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The administrator's key in the data folder, as an AWS shared credentials file. */

enum { MAX_FILE_BYTES = 4096, ID_LETTERS = 16, SECRET_LETTERS = 40 };

/* Copies the value of "name = value" on the line into `out`; 0 when it is another name or too
 * long. */
static int read_line(const char *line, const char *name, char *out, size_t out_bytes)
{
    line += strspn(line, " \t");
    size_t length = strlen(name);
    if (strncmp(line, name, length))
        return 0;
    line += length + strspn(line + length, " \t");
    if (*line++ != '=')
        return 0;
    line += strspn(line, " \t");
    size_t size = strcspn(line, " \t\r\n");
    if (size == 0 || size >= out_bytes)
        return 0;
    memcpy(out, line, size);
    out[size] = 0;
    return 1;
}

static int read_credentials(const char *path, struct cloud_credentials *out, struct err *err)
{
    struct buf text;
    buf_init(&text, MAX_FILE_BYTES);
    int found_id = 0, found_secret = 0, result = file_read(path, &text, err);
    for (const char *line = text.data; result == 0 && line && *line;) {
        found_id |=
            read_line(line, "aws_access_key_id", out->access_key_id, sizeof out->access_key_id);
        found_secret |= read_line(line, "aws_secret_access_key", out->secret_access_key,
                                  sizeof out->secret_access_key);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    if (text.data)
        OPENSSL_cleanse(text.data, text.capacity);
    buf_finish(&text);
    if (result == 0 && !(found_id && found_secret))
        return err_set(err, ERR_CORRUPT,
                       "read %s: aws_access_key_id or aws_secret_access_key is missing", path);
    return result;
}

static int make_credentials(const char *path, struct cloud_credentials *out, struct err *err)
{
    memcpy(out->access_key_id, "AKIA", 4);
    random_text(out->access_key_id + 4, ID_LETTERS, RANDOM_UPPER);
    random_text(out->secret_access_key, SECRET_LETTERS, RANDOM_LOWER);
    char text[MAX_FILE_BYTES];
    int size = snprintf(text, sizeof text,
                        "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
                        out->access_key_id, out->secret_access_key);
    out->made = 1;
    int result = file_write(path, text, (size_t)size, 0600, err);
    OPENSSL_cleanse(text, sizeof text);
    return result;
}

int cloud_credentials(const char *data_folder, struct cloud_credentials *out, struct err *err)
{
    char path[4096];
    *out = (struct cloud_credentials){0};
    if ((size_t)snprintf(path, sizeof path, "%s/credentials", data_folder) >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "open %s: the path is too long", data_folder);
    if (access(path, F_OK) == 0)
        return read_credentials(path, out, err);
    return make_credentials(path, out, err);
}
