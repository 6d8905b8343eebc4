/* The node's private key on disk: where it is, reading it safely, making it once.
 *
 * The content is the serialized PrivateKey of libp2p, as the Go nodes write it. A file that anyone
 * but its owner may read is refused; a file that is not a key is never touched. Blocking file I/O:
 * for start-up only. */
#ifndef OCF_APP_CLI_KEYFILE_H
#define OCF_APP_CLI_KEYFILE_H

#include "app/conf/conf.h"
#include "base/core/core.h"
#include "base/core/err.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "crypto/key/key.h"

enum { OCF_KEYFILE_PATH_MAX = 4352 };

/* Which file it is: key-file when it is set, else the first that exists of <config-dir>/keys/id,
 * ~/.ocfcore/keys/id and ~/.config/opentela/keys/id, else <config-dir>/keys/id. Writes the path to
 * `path` and whether something is there to `*exists`. 0, or OCF_ELIMIT when the path is too long.
 */
OCF_NODISCARD int ocf_keyfile_find(const struct ocf_conf *c, char path[OCF_KEYFILE_PATH_MAX],
                                   bool *exists, struct ocf_err *err);

/* Reads a key. 0 and `key` is the caller's to free; OCF_ENOENT, OCF_EPERM when others may read or
 * write the file, OCF_EINVAL when it holds no key of ours, OCF_EIO, OCF_ENOMEM, with `err` filled.
 */
OCF_NODISCARD int ocf_keyfile_load(const char *path, struct ocf_alloc *a, struct ocf_key *key,
                                   struct ocf_err *err);

/* Makes a new Ed25519 key and its file: mode 0600, missing directories with mode 0700, written
 * under another name, synced and then renamed, so that a file under `path` is always whole. Never
 * replaces anything: OCF_EEXIST when something is there, also when another process was quicker.
 * OCF_EPERM when others may write to the directory; OCF_EIO, OCF_ENOMEM. */
OCF_NODISCARD int ocf_keyfile_create(const char *path, struct ocf_alloc *a, struct ocf_rng *rng,
                                     struct ocf_key *key, struct ocf_err *err);

/* Finds and loads; with `may_create`, makes the key where there is none (two processes that start
 * at once agree on one key). `path` tells which file it was and `*created` whether it is new.
 * Errors of the three above; OCF_ENOENT only without `may_create`. */
OCF_NODISCARD int ocf_keyfile_open(const struct ocf_conf *c, struct ocf_alloc *a, bool may_create,
                                   struct ocf_key *key, char path[OCF_KEYFILE_PATH_MAX],
                                   bool *created, struct ocf_err *err);

/* Writes a file that is not there yet, mode 0600: whole or not at all, synced, never replacing one.
 * 0, OCF_EEXIST, OCF_EIO, OCF_ELIMIT. */
OCF_NODISCARD int ocf_keyfile_write_new(const char *path, struct ocf_bytes content,
                                        struct ocf_err *err);

/* Makes `dir` and the directories above it that are missing, each with mode 0700. 0 or OCF_EIO. */
OCF_NODISCARD int ocf_keyfile_mkdirs(const char *dir, struct ocf_err *err);

#endif
