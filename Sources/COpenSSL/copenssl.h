// What TLS needs of the system's OpenSSL 3: its headers, and functions for what Swift cannot import: macros that look like
// functions, and constants made by them.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/// TLS 1.2 at least; 0: refused.
static inline int copenssl_require_tls_1_2(SSL_CTX *_Nonnull context)
{
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

/// What a peer could otherwise ask for: a second handshake, compression, a session to come back to by a ticket or out of
/// the cache.
static inline void copenssl_forbid_extras(SSL_CTX *_Nonnull context)
{
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
}

/// An idle connection keeps no buffers for records.
static inline void copenssl_release_buffers(SSL_CTX *_Nonnull context)
{
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

/// Adds a certificate to those that are sent behind our own; the caller keeps its reference. 0: failed.
static inline int copenssl_add_chain_certificate(SSL_CTX *_Nonnull context, X509 *_Nonnull certificate)
{
	return SSL_CTX_add1_chain_cert(context, certificate);
}

/// Tells the server which name it was called by (RFC 6066 §3). 0: failed.
static inline int copenssl_set_server_name(SSL *_Nonnull ssl, const char *_Nonnull name)
{
	return SSL_set_tlsext_host_name(ssl, name);
}

/// The name's form of RFC 2253, with everything but printable ASCII escaped.
static inline unsigned long copenssl_name_flags(void) { return XN_FLAG_RFC2253; }

#endif
