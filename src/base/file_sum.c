#include "base/file_sum.h"

#include "base/crc32c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = sizeof "\n#sum 12345678\n" - 1 };

static void make_line(const char *text, size_t size, char line[LINE_BYTES + 1])
{
    snprintf(line, LINE_BYTES + 1, "\n#sum %08x\n", crc32c(0, text, size));
}

int file_write_summed(const char *path, const char *text, size_t size, mode_t mode, struct err *err)
{
    char *whole = malloc(size + LINE_BYTES + 1);
    if (!whole)
        return err_set(err, ERR_NO_MEMORY, "write %s: out of memory", path);
    memcpy(whole, text, size);
    make_line(text, size, whole + size);
    int result = file_write(path, whole, size + LINE_BYTES, mode, err);
    free(whole);
    return result;
}

int file_read_summed(const char *path, struct buf *out, struct err *err)
{
    char line[LINE_BYTES + 1];
    out->limit += LINE_BYTES;
    if (file_read(path, out, err) < 0)
        return -1;
    size_t size = out->size < LINE_BYTES ? 0 : out->size - LINE_BYTES;
    if (size == 0 || memcmp(out->data + size, "\n#sum ", 6) != 0)
        return 0;
    make_line(out->data, size, line);
    if (memcmp(out->data + size, line, LINE_BYTES) != 0)
        return err_set(err, ERR_CORRUPT, "read %s: it is damaged", path);
    out->data[size] = 0;
    out->size = size;
    return 0;
}
