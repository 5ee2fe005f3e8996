// All SOAP services of the bus, by name.
#pragma once

#include "adapters/soap/service.h"

#include <map>
#include <memory>
#include <string>

namespace busbar::soap {

/// Routes POST and GET /services/NAME to services, and GET /services to a list. Filled before the
/// loops run, then read by all of them.
class SoapServices {
  public:
    void add(std::shared_ptr<const SoapService> service);
    void install(http::Router& router, std::uint64_t bodyBytesMax);

  private:
    const SoapService* find(const http::Request& request,
                            const http::ResponderPtr& responder) const;

    std::map<std::string, std::shared_ptr<const SoapService>, std::less<>> services_;
};

}  // namespace busbar::soap
