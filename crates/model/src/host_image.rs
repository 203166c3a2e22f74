//! Names of machine images that AWS makes for container hosts flow in; the public parameter by which AWS recommends the
//! current image of the same family flows out.

/// The parameter of the family that AWS recommends to everyone who has no image of AWS.
pub const DEFAULT_HOST_IMAGE: &str = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended";

/// The public parameter that names the current image of the family of an image of AWS; `None` for images that are not
/// made for Amazon ECS, and for families that AWS no longer recommends.
pub fn recommended_parameter(image_name: &str) -> Option<String> {
    amazon_linux(image_name).or_else(|| bottlerocket(image_name)).or_else(|| windows(image_name))
}

/// Whether an image is named as AWS names those of Bottlerocket.
pub fn is_bottlerocket_image(image_name: &str) -> bool {
    image_name.starts_with("bottlerocket-")
}

/// `al2023-ami-ecs-gpu-hvm-2023.0.20260601-kernel-6.1-x86_64-ebs`, `amzn2-ami-ecs-kernel-5.10-hvm-2.0.20260601-arm64-ebs`.
fn amazon_linux(name: &str) -> Option<String> {
    let (system, rest) = if let Some(rest) = name.strip_prefix("al2023-ami-ecs-") {
        ("amazon-linux-2023", rest)
    } else {
        ("amazon-linux-2", name.strip_prefix("amzn2-ami-ecs-")?)
    };
    let (variant, version) = if rest.starts_with("hvm-") { ("", rest) } else { rest.split_once("-hvm-")? };
    // A variant may have a kernel of its own before the hardware: `kernel-5.10-gpu`.
    let (kernel, hardware) = match variant.strip_prefix("kernel-") {
        Some(rest) => rest.split_once('-').map_or((rest, ""), |(kernel, hardware)| (kernel, hardware)),
        None => ("", variant),
    };
    let mut parameter = format!("/aws/service/ecs/optimized-ami/{system}");
    if !kernel.is_empty() {
        parameter.push_str("/kernel-");
        parameter.push_str(kernel);
    }
    if !hardware.is_empty() {
        parameter.push('/');
        parameter.push_str(hardware);
    } else if version.contains("-arm64") {
        parameter.push_str("/arm64");
    }
    parameter.push_str("/recommended");
    Some(parameter)
}

/// `bottlerocket-aws-ecs-2-nvidia-x86_64-v1.19.0-0a1b2c3d`.
fn bottlerocket(name: &str) -> Option<String> {
    let rest = name.strip_prefix("bottlerocket-").filter(|rest| rest.starts_with("aws-"))?;
    ["x86_64", "aarch64"].into_iter().find_map(|architecture| {
        let (variant, _) = rest.split_once(&format!("-{architecture}-v"))?;
        let architecture = if architecture == "aarch64" { "arm64" } else { architecture };
        Some(format!("/aws/service/bottlerocket/{variant}/{architecture}/latest/image_id"))
    })
}

/// `Windows_Server-2022-English-Core-ECS_Optimized-2026.05.13`.
fn windows(name: &str) -> Option<String> {
    const FAMILY: &str = "-ECS_Optimized";
    let end = name.starts_with("Windows_Server-").then(|| name.find(FAMILY)).flatten()? + FAMILY.len();
    Some(format!("/aws/service/ami-windows-latest/{}", name.get(..end)?))
}

#[cfg(test)]
mod tests {
    use super::recommended_parameter;

    #[test]
    fn a_family_has_one_parameter() {
        for (name, parameter) in [
            ("al2023-ami-ecs-hvm-2023.0.20260601-kernel-6.1-x86_64", "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended"),
            ("al2023-ami-ecs-hvm-2023.0.20260601-kernel-6.1-arm64", "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended"),
            (
                "al2023-ami-ecs-neuron-hvm-2023.0.20260601-kernel-6.1-x86_64-ebs",
                "/aws/service/ecs/optimized-ami/amazon-linux-2023/neuron/recommended",
            ),
            ("amzn2-ami-ecs-hvm-2.0.20260601-x86_64-ebs", "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended"),
            ("amzn2-ami-ecs-gpu-hvm-2.0.20260601-x86_64-ebs", "/aws/service/ecs/optimized-ami/amazon-linux-2/gpu/recommended"),
            (
                "amzn2-ami-ecs-kernel-5.10-hvm-2.0.20260601-arm64-ebs",
                "/aws/service/ecs/optimized-ami/amazon-linux-2/kernel-5.10/arm64/recommended",
            ),
            (
                "amzn2-ami-ecs-kernel-5.10-gpu-hvm-2.0.20260601-x86_64-ebs",
                "/aws/service/ecs/optimized-ami/amazon-linux-2/kernel-5.10/gpu/recommended",
            ),
            ("bottlerocket-aws-ecs-2-x86_64-v1.19.0-0a1b2c3d", "/aws/service/bottlerocket/aws-ecs-2/x86_64/latest/image_id"),
            ("bottlerocket-aws-ecs-2-nvidia-aarch64-v1.19.0-0a1b2c3d", "/aws/service/bottlerocket/aws-ecs-2-nvidia/arm64/latest/image_id"),
            (
                "Windows_Server-2022-English-Core-ECS_Optimized-2026.05.13",
                "/aws/service/ami-windows-latest/Windows_Server-2022-English-Core-ECS_Optimized",
            ),
        ] {
            assert_eq!(recommended_parameter(name).as_deref(), Some(parameter), "{name}");
        }
        for name in ["al2023-ami-2023.5.20260601.0-kernel-6.1-x86_64", "amzn-ami-2018.03.20230705-amazon-ecs-optimized", "web-ami-7", ""] {
            assert_eq!(recommended_parameter(name), None, "{name}");
        }
    }
}
