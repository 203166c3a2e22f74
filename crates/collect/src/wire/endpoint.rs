//! A service and a Region flow in; the URL to ask flows out, as every AWS tool finds it: `AWS_ENDPOINT_URL_<SERVICE>`, the
//! profile's `services` section, `AWS_ENDPOINT_URL`, then AWS's own.

use aws_config::SdkConfig;
use aws_sdk_ecs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_types::service_config::ServiceConfigKey;

use super::Service;

/// Where a service is asked.
pub(super) async fn url(sdk: &SdkConfig, service: &Service, region: &str, host_prefix: &str) -> Result<String, BoxError> {
    if let Some(url) = configured(sdk, service) {
        return Ok(url);
    }
    let fips = sdk.use_fips().unwrap_or_default();
    // The SDK's partitions and their domains; ECS has no exceptions of its own.
    let params = Params::builder().region(region).use_fips(fips).use_dual_stack(sdk.use_dual_stack().unwrap_or_default()).build()?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await?;
    let (ours, ecs) = if fips { (service.fips_host, "ecs-fips") } else { (service.host, "ecs") };
    let rest =
        endpoint.url().strip_prefix("https://").and_then(|host| host.strip_prefix(ecs)).ok_or("the SDK's ECS endpoint is unlike others")?;
    Ok(format!("https://{host_prefix}{ours}{rest}"))
}

pub(super) fn configured(sdk: &SdkConfig, service: &Service) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service.id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
    let own = sdk.service_config().and_then(|config| config.load_config(key));
    own.or_else(|| sdk.endpoint_url().map(ToOwned::to_owned))
}
