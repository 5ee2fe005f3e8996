// Private to the TLS part of adapters/transport: the context as asio knows it.
#pragma once

#include "adapters/transport/asio_loop.h"
#include "adapters/transport/tls_context.h"

#include <boost/asio/ssl/context.hpp>

namespace busbar::transport {

class TlsContext {
  public:
    asio::ssl::context context{asio::ssl::context::tls_server};
};

}  // namespace busbar::transport
