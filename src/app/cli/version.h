/* What this program was built from. Constants; safe from any thread. */
#ifndef OCF_APP_CLI_VERSION_H
#define OCF_APP_CLI_VERSION_H

struct ocf_version {
  const char *version, *commit, *compiler;
  const char *libuv, *libsodium, *openssl, *libyaml; /* as found when it was built */
};

const struct ocf_version *ocf_version(void);

#endif
